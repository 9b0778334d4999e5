"""nine9s on a real OTP: the same site in Erlang, as a release that `release_handler` upgrades.

A fault in `code_change` can't be put back there: OTP restarts the node after it.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import copy, which
from typing import Final

from hotdash.demo.demo_node import free_port

from .site_under_load import UpgradeFailed

SOURCES: Final = Path(__file__).parent / "otp"
OLDER, NEWER = "0.1.0", "0.2.0"
MODULES: Final = {
    OLDER: ("nine9s_app", "nine9s_sup", "nine9s_http", "default_handler"),
    NEWER: ("nine9s_app", "nine9s_sup", "nine9s_http", "default_handler", "count_handler", "state_handler"),
}
APP: Final = """
{{application, nine9s, [{{description, "nine9s"}}, {{vsn, "{vsn}"}}, {{modules, [{modules}]}},
    {{registered, [nine9s_sup, nine9s_http]}}, {{applications, [kernel, stdlib, sasl]}}, {{mod, {{nine9s_app, []}}}}]}}.
"""
ANSWER_SECONDS: Final = 60.0


class OtpSite:
    """A running release of OTP. For its methods see SiteUnderLoad."""

    def __init__(self, port: int, process: asyncio.subprocess.Process) -> None:
        self.port = port
        self.site = "nine9s"
        self._process = process

    async def upgrade(self) -> None:
        """Install 0.2.0, and make it permanent."""
        await self._install(NEWER)

    async def downgrade(self) -> None:
        """Install 0.1.0, and make it permanent."""
        await self._install(OLDER)

    async def fail(self) -> bool:
        """Do nothing, since OTP can't put an upgrade back."""
        return False

    async def line(self) -> str:
        """Return the next line that the node prints."""
        assert self._process.stdout is not None
        async with asyncio.timeout(ANSWER_SECONDS):
            return (await self._process.stdout.readline()).decode().strip()

    async def _install(self, vsn: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{vsn}\n".encode())
        if (answer := await self.line()) != "ok":
            raise UpgradeFailed(f"OTP answered to {vsn}: {answer or 'it has ended'}")


def has_otp() -> bool:
    """Return whether Erlang is installed, with its compiler."""
    return which("erl") is not None and which("erlc") is not None


@asynccontextmanager
async def otp_site(folder: Path) -> AsyncIterator[OtpSite]:
    """Build both releases, and start the older one."""
    _build(folder)
    port, releases = free_port(), folder / "releases"
    boot = ["-boot", str(releases / OLDER / "start"), "-sasl", "releases_dir", json.dumps(str(releases))]
    quiet = ["-kernel", "logger_level", "error"]
    command = ["erl", "-noshell", *boot, *quiet, "-pa", str(folder), "-run", "nine9s_releases", "control", str(folder)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, env=os.environ | {"PORT": str(port)}
    )
    try:
        site = OtpSite(port, process)
        if (answer := await site.line()) != "ready":
            raise UpgradeFailed(f"OTP did not start: {answer}")
        yield site
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _build(folder: Path) -> None:
    for vsn, options in ((OLDER, []), (NEWER, ["-DCOUNTS"])):
        beams = folder / "lib" / f"nine9s-{vsn}" / "ebin"
        beams.mkdir(parents=True)
        sources = [str(SOURCES / f"{name}.erl") for name in MODULES[vsn]]
        subprocess.run(["erlc", *options, "-o", str(beams), *sources], check=True)
        (beams / "nine9s.app").write_text(APP.format(vsn=vsn, modules=", ".join(MODULES[vsn])))
    copy(SOURCES / "nine9s.appup", beams)
    subprocess.run(["erlc", "-o", str(folder), str(SOURCES / "nine9s_releases.erl")], check=True)
    build = ["-run", "nine9s_releases", "build", str(folder)]
    subprocess.run(["erl", "-noshell", "-pa", str(folder), *build], check=True)

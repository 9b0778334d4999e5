"""An example on a real node: built, installed and started by the commands, and upgraded through the control plane."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from hotdash.demo.demo_node import free_port
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.run_directory import locate

from .final_command import final_command
from .projects import Example, write_projects
from .site_under_load import UpgradeFailed

BIN: Final = Path(sys.executable).parent
BUDGET_SECONDS: Final = 30.0
"""A client may spend only so many tokens per second; a refused request is repeated for this time."""
WAIT_SECONDS: Final = 30.0
"""An install waits so long for what may pass, such as old code that still runs, as with `hotdash upgrade --wait 30`."""
OVERRIDES: Final = {"nine9s": {}, "hub": {"messages": 10**9}}


class NodeSite:
    """A running example. For its methods see SiteUnderLoad."""

    def __init__(self, example: Example, port: int, client: Client) -> None:
        self.port = port
        self.site = example.name
        self._example = example
        self._client = client

    async def upgrade(self) -> None:
        """Install the newer version, and commit it."""
        await self._install(self._example.newer)

    async def downgrade(self) -> None:
        """Install the older version, and commit it."""
        await self._install(self._example.older)

    async def fail(self) -> bool:
        """Try to install the faulty version. It has no plan of its own: the install rehearses it, too."""
        operation = await self._operation(m.Install(vsn=self._example.fault.vsn, again=True, wait=WAIT_SECONDS))
        if operation.outcome != "put back":
            raise UpgradeFailed(f"{operation.to_vsn} was {operation.outcome} instead of put back: {operation.error}")
        return True

    async def _install(self, vsn: str) -> None:
        plan = await self._client.plan(vsn)
        if plan.blockers:
            raise UpgradeFailed(f"the plan for {vsn}: {plan.blockers}")
        operation = await self._operation(m.Install(vsn=vsn, plan_id=plan.id, wait=WAIT_SECONDS))
        if operation.outcome != "installed":
            raise UpgradeFailed(f"{vsn} was {operation.outcome}: {operation.error}")
        try:
            await self._client.request(methods.COMMIT, m.Commit())
        except Refused as refused:
            raise UpgradeFailed(f"{vsn} could not be committed: {refused.sentence}") from None

    async def _operation(self, install: m.Install) -> m.Operation:
        deadline = time.monotonic() + BUDGET_SECONDS
        while True:
            try:
                begun = await self._client.request(methods.INSTALL, install)
                break
            except Refused as refused:
                if "budget" not in refused.sentence or time.monotonic() > deadline:
                    raise UpgradeFailed(refused.sentence) from None
                await asyncio.sleep(0.2)
        async for operation in self._client.follow(begun.operation):
            ended = operation
        return ended


@asynccontextmanager
async def node_site(example: Example, folder: Path) -> AsyncIterator[NodeSite]:
    """Build the versions of an example, start a node with the older one, and stage the others."""
    tarballs = []
    for project in write_projects(example, folder / "projects"):
        _run(BIN / "node-runtime", "build", project, "--output", folder / "out")
        tarballs.append(folder / "out" / f"{example.name}-{project.name}.tar.gz")
    directory, port = folder / "node", free_port()
    _run(BIN / "node-runtime", "install", tarballs[0], directory)
    (directory / "etc").mkdir(exist_ok=True)
    settings = {"http_port": port, **OVERRIDES[example.name]}
    lines = [f"[{example.name}]", *(f"{key} = {value}" for key, value in settings.items()), ""]
    (directory / "etc" / "sys.toml").write_text("\n".join(lines))
    os.environ["NODE_RUNTIME_RUN_DIR"] = str(folder / "run")
    (folder / "run").mkdir(mode=0o700)
    command = directory / "bin" / example.name
    async with final_command(command, "stop"):
        _run(command, "start")
        for tarball in tarballs[1:]:
            _run(command, "unpack", tarball)
        address = locate(f"{example.name}@127.0.0.1")
        async with Client.connect(address, user="load", client_name="load") as client:
            yield NodeSite(example, port, client)


def _run(*words: object) -> None:
    """Run a command; if it fails, its output is the error."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}: {done.stdout}{done.stderr}")

"""Each command of docs/operations.md is run, in the order of a service's life, or is listed with the reason why not."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path
from typing import Final

import pytest

from node_runtime.protocol.exit_codes import ExitCode
from tests.support.nodes.fil_node import command, environment
from tests.support.pages.shown_commands import ROOT
from tests.support.projects.tiny_project import FILES, appup_both_ways
from tests.support.waiting import until

PAGE: Final = ROOT / "docs" / "operations.md"
SHOWN: Final = re.compile(r"`((?:bin/shop|hotdash|node-runtime|systemctl)(?: [^`]+)?)`|^    (sudo .+)$", re.MULTILINE)
NOT_RUN: Final = {
    "sudo useradd --system shop": "needs root",
    "sudo install -d -o shop -g shop -m 700 /opt/shop": "needs root",
    "systemctl stop": "needs systemd; it sends the SIGTERM that the test sends",
    "systemctl kill -s HUP shop": "needs systemd",
    "systemctl enable --now shop.socket": "needs systemd",
    "systemctl stop shop.socket shop.service": "needs systemd",
    "hotdash status NODE --watch": "runs until it is interrupted",
    "hotdash deploy NODE": "the walk through the tutorial runs it",
    "hotdash events": "names a group of commands",
    "node-runtime new": "the walk through the tutorial runs it",
    "node-runtime install TARBALL /opt/shop": "the same as the one for a tarball of this name",
}
"""Commands that the test leaves out, each with the reason."""
NAMES: Final = frozenset({"bin/shop", "hotdash", "node-runtime"})
"""What the page also writes in the form of a command, though it only names the program."""
LIFE: Final[tuple[tuple[str, int | None], ...]] = (
    ("sudo -u shop node-runtime install shop-1.0.tar.gz /opt/shop", 0),
    ("bin/shop foreground", None),
    ("bin/shop ping", 0),
    ("bin/shop cookie --for ana --role viewer --days 90 --out ana.cookie", 0),
    ("bin/shop cookie --list", 0),
    ("bin/shop cookie --revoke ana", 0),
    ("hotdash status NODE -o json", 0),
    ("node-runtime build . --from shop-1.0.tar.gz", 0),
    ("hotdash stage NODE shop-1.1.tar.gz", 0),
    ("hotdash plan NODE 1.1", 0),
    ('hotdash upgrade NODE 1.1 --wait 30 --reason "ticket 4711"', 0),
    ("hotdash results NODE", 0),
    ("hotdash rollback NODE", 0),
    ('hotdash upgrade NODE 1.1 --wait 30 --reason "ticket 4711"', 0),
    ("hotdash commit NODE", 0),
    ("hotdash modules NODE", 0),
    ("hotdash purge NODE MODULE", ExitCode.REFUSED),
    ("hotdash abort NODE", ExitCode.REFUSED),
    ("hotdash downgrade NODE 1.0", 0),
    ("bin/shop restart", 0),
    ("systemctl stop", None),
    ("bin/shop start", 0),
)
"""The commands that are run, with their exit codes."""
ASKS: Final = ("hotdash upgrade", "hotdash rollback", "hotdash downgrade", "hotdash purge")
"""What asks for consent; without a terminal, the option --yes is the consent."""


def shown() -> set[str]:
    found = SHOWN.findall(PAGE.read_text(encoding="utf-8"))
    return {" ".join((inline or block).split()) for inline, block in found} - NAMES


def write_shop(folder: Path, vsn: str) -> Path:
    """Write a version of the project `shop`, whose newer version has another server."""
    for path, text in FILES.items():
        file = folder / path.replace("tiny", "shop")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("{vsn}", vsn).replace("tiny", "shop").replace("Tiny", "Shop"))
    if vsn != "1.0":
        server = folder / "apps/shop/src/shop/server.py"
        server.write_text(f"{server.read_text()}\n    def count(self):\n        return self.state\n")
        steps = '{ load_module = "shop.server" }'
        (folder / "apps/shop/appup.toml").write_text(appup_both_ways(steps, vsn=vsn, older="1.0"))
    return folder


def test_each_command_of_the_page_is_run_or_left_out_for_a_reason() -> None:
    assert shown() == {line for line, _ in LIFE} | NOT_RUN.keys()


class Service:
    """The node `shop` in a private folder, which stands for /opt/shop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.directory = folder / "opt-shop"
        self.environment = environment(folder) | {"NODE_RUNTIME_RUN_DIR": str(folder / "run")}
        self.parent: subprocess.Popen[bytes] | None = None

    def run(self, line: str, code: int | None) -> None:
        """Run a command of the page in the folder of the newer version's project."""
        if line == "bin/shop foreground":
            words = [str(self.directory / "bin/shop"), "foreground"]
            with (self.folder / "foreground.log").open("wb") as log:
                self.parent = subprocess.Popen(words, env=self.environment, stdout=log, stderr=log)
            until(lambda: self._shop("ping", code=None).returncode == 0, what="the node")
        elif line == "systemctl stop":
            assert self.parent is not None
            self.parent.send_signal(signal.SIGTERM)
            assert self.parent.wait(120) == 0
        elif line.startswith("bin/shop "):
            self._shop(*line.split()[1:], code=code)
        else:
            words = self._words(line)
            done = subprocess.run(
                words, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == code, f"{line}\n{done.stdout}\n{done.stderr}"

    def _words(self, line: str) -> list[str]:
        line = line.removeprefix("sudo -u shop ").replace("build .", "build shop-1.1 --output .")
        for word, value in (("NODE", "shop@127.0.0.1"), ("MODULE", "shop.server"), ("/opt/shop", str(self.directory))):
            line = line.replace(word, value)
        return ["bash", "-c", line + (" --yes" if line.startswith(ASKS) else "")]

    def _shop(self, *words: str, code: int | None) -> subprocess.CompletedProcess[str]:
        words = tuple(str(self.folder / word) if word.endswith(".cookie") else word for word in words)
        return command(self.directory / "bin/shop", *words, env=self.environment, code=code)

    def stop(self) -> None:
        """Stop whatever runs."""
        if (self.directory / "bin/shop").exists():
            self._shop("stop", code=None)


@pytest.mark.slow
def test_the_commands_of_the_page_work_in_the_life_of_a_service(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    service = Service(tmp_path)
    write_shop(tmp_path / "shop-1.1", "1.1")
    first = write_shop(tmp_path / "shop-1.0", "1.0")
    command("node-runtime", "build", first, "--output", tmp_path, env=service.environment)
    try:
        for line, code in LIFE:
            service.run(line, code)
    finally:
        service.stop()

"""The abilities of a node after a release was removed: the one that booted it, or one whose version comes again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.nodes.tiny_node import (
    ANOTHER_PAGE,
    NAME,
    TinyNode,
    install,
    node,
    running,
    stopped_afterwards,
    tarball_of,
    tarballs,
)
from tests.support.os_processes import gateway_of, running_gateway
from tests.support.waiting import until

__all__ = ["node", "running", "tarballs"]

_UPDATE = '[{ add_module = "tiny.notes" }, { update = "tiny.server", change = "advanced", deps = ["tiny.notes"] }]'
NOTES: dict[str, str | None] = {
    "apps/tiny/appup.toml": f"""
vsn = "2.0"
[[up]]
from = "1.0"
instructions = {_UPDATE}
""",
    "apps/tiny/src/tiny/notes/__init__.py": "",
    "apps/tiny/src/tiny/server.py": """
from importlib import resources
from node_runtime import GenServer, gen_server
from tiny import notes

async def start_link():
    return await gen_server.start_link(TinyServer, name="tiny_server")

class TinyServer(GenServer):
    def init(self):
        return 0

    def code_change(self, *ignored):
        return resources.files(notes).joinpath("note.txt").read_text()
""",
}


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two tarballs of version 2.0, which differ in a data file."""
    return [
        tarball_of(tmp_path_factory.mktemp("notes"), "2.0", NOTES | {"apps/tiny/src/tiny/notes/note.txt": text})
        for text in ("the first note", "the second note")
    ]


def test_a_node_runs_on_after_the_release_that_booted_it_was_removed(
    running: TinyNode, tarballs: dict[str, Path], tmp_path: Path
) -> None:
    running.operate("stage", tarballs["2.0"])
    running.operate("upgrade", "--yes", "2.0")
    running.operate("commit")
    running.operate("remove", "1.0")
    pid = running.pid()
    running.operate("stage", tarball_of(tmp_path, "3.0", {**ANOTHER_PAGE, "apps/tiny/appup.toml": None}))
    before = running_gateway(pid)
    before.kill()
    until(lambda: gateway_of(pid) not in (None, before), "another gateway")
    until(lambda: running.tiny("ping", code=None).returncode == 0, "an answer")
    assert running.pid() == pid


READER: dict[str, str | None] = {
    "apps/tiny/src/tiny/data/__init__.py": "",
    "apps/tiny/src/tiny/data/note.txt": "{vsn}",
    "apps/tiny/src/tiny/server.py": """
from importlib import resources
from node_runtime import GenServer, gen_server
from tiny import data

NOTE = resources.files(data) / "note.txt"

async def start_link():
    return await gen_server.start_link(TinyServer, name="tiny_server")

class TinyServer(GenServer):
    def init(self):
        return 0

    def handle_info(self, message):
        self.state = f"kept {NOTE.read_text()}, current {(resources.files(data) / 'note.txt').read_text()}"
""",
    "apps/tiny/src/tiny/poke.py": """
from node_runtime import send

def poke():
    send("tiny_server", "read")
""",
}
_POKE = """
vsn = "{vsn}"
[[up]]
from = "1.0"
instructions = [{ apply = "tiny.poke:poke", undo = "tiny.poke:poke" }]
"""


@pytest.mark.slow  # install/test_data_files.py has it without a real node
def test_a_file_that_loaded_code_has_found_can_be_read_after_the_removal(tmp_path: Path) -> None:
    with stopped_afterwards(install(tarball_of(tmp_path, "1.0", READER), tmp_path / "tiny")) as node:
        node.tiny("start")
        node.operate("stage", tarball_of(tmp_path, "2.0", READER | {"apps/tiny/appup.toml": _POKE}))
        node.operate("upgrade", "--yes", "2.0")
        node.operate("commit")
        node.operate("remove", "1.0")
        assert "kept 1.0, current 2.0" in node.hotdash("state", NAME, "tiny_server").stdout


def test_a_version_that_was_removed_may_come_again_with_other_files(running: TinyNode, notes: list[Path]) -> None:
    running.operate("stage", notes[0])
    running.operate("remove", "2.0")
    running.operate("stage", notes[1])
    running.operate("upgrade", "--yes", "2.0")
    assert "the second note" in running.hotdash("state", NAME, "tiny_server").stdout

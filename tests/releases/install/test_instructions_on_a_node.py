"""Each instruction of an appup on a real node, up and down. All tests share the node; each has a release of its own.

In `make test`, test_pairs_of_instructions.py has each instruction, in a node in the test's process.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any
from urllib.request import urlopen

import pytest

from hotdash.demo.demo_node import free_port
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.run_directory import locate
from node_runtime.releases.files.appup_instructions import INSTRUCTION_OPTIONS
from node_runtime.releases.files.manifest import read_manifest
from node_runtime.releases.store import commit_record
from tests.support.nodes.case_node import write_release
from tests.support.nodes.tiny_node import NAME, TinyNode, install, stopped_afterwards, tarball_of
from tests.support.projects.instruction_table import INSTRUCTIONS, project


def app_of(name: str) -> str:
    """The application of a case."""
    return re.sub("[^a-z]+", "_", name)


APPS = {app_of(name): case for name, case in INSTRUCTIONS.items()}


class InstructionNode:
    """The running node. Release 1 has all applications in version 1; release 2.N has the N-th in version 2."""

    def __init__(self, node: TinyNode, port: int) -> None:
        self.node = node
        self.port = port

    def vsn(self, name: str) -> str:
        """The release in which the application of the case is in version 2."""
        return f"2.{list(INSTRUCTIONS).index(name)}"

    async def go(self, vsn: str) -> m.Operation:
        """Install a release; returns how that ended."""
        async with Client.connect(locate(NAME), user="test", client_name="test") as client:
            begun = await client.request(methods.INSTALL, m.Install(vsn=vsn, reason="test"))
            async with aclosing(client.follow(begun.operation)) as states:
                return [state async for state in states][-1]

    def see(self, name: str) -> dict[str, Any]:
        """What the application `probe` sees of the application of the case."""
        with urlopen(f"http://127.0.0.1:{self.port}/{app_of(name)}", timeout=60) as answer:
            seen: dict[str, Any] = json.load(answer)
        return seen


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InstructionNode]:
    folder = tmp_path_factory.mktemp("instructions")
    made = install(tarball_of(folder, "0"), folder / "tiny")
    like = read_manifest(made.directory, "0")
    commit_record.record_path(made.directory).unlink(missing_ok=True)
    write_release(made.directory, project("1", APPS), like)
    for number, app in enumerate(APPS):
        write_release(made.directory, project(f"2.{number}", APPS, newer=(app,)), like)
    port = free_port()
    made.set("sys.toml", f"[probe]\nport = {port}\n")
    with stopped_afterwards(made):
        made.tiny("start")
        yield InstructionNode(made, port)


@pytest.fixture
def run_directory(node: InstructionNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODE_RUNTIME_RUN_DIR", str(node.node.run_directory))
    monkeypatch.delenv("HOTDASH_COOKIE_FILE", raising=False)


@pytest.mark.slow
@pytest.mark.usefixtures("run_directory")
@pytest.mark.parametrize("name", [name for name, case in INSTRUCTIONS.items() if case.refused is None])
async def test_an_instruction_takes_effect_up_and_down(node: InstructionNode, name: str) -> None:
    first, upgraded, downgraded = INSTRUCTIONS[name].views()
    boot = node.node.parent["node_pid"]
    assert node.see(name) == first
    for vsn, view in ((node.vsn(name), upgraded), ("1", downgraded)):
        operation = await node.go(vsn)
        assert (operation.outcome, operation.error) == ("installed", None)
        assert node.see(name) == view
    assert node.node.parent["node_pid"] == boot


@pytest.mark.slow  # test_refused_instructions.py has it in the test's process
@pytest.mark.usefixtures("run_directory")
@pytest.mark.parametrize("name", [name for name, case in INSTRUCTIONS.items() if case.refused is not None])
async def test_an_instruction_for_the_whole_node_is_refused_and_changes_nothing(
    node: InstructionNode, name: str
) -> None:
    case = INSTRUCTIONS[name]
    operation = await node.go(node.vsn(name))
    assert (operation.outcome, operation.error) == ("aborted", f"{case.refused}: this needs a restart of the node.")
    assert node.see(name) == case.views()[0]


def test_every_instruction_that_an_appup_may_contain_is_in_the_table() -> None:
    scripts = " ".join(f"{case.up} {case.down}" for case in INSTRUCTIONS.values())
    named = {word for word in INSTRUCTION_OPTIONS if f"{{ {word} =" in scripts}
    by_release = {"add_application", "remove_application"}  # a release that has or lacks an application adds these
    assert named | by_release == set(INSTRUCTION_OPTIONS)

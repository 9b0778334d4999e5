"""A node that strikes itself with a fault at a given place of an upgrade, and what it has left after that."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil
import pytest

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.exit_codes import Refused
from tests.support.nodes.beside_another import install_beside_another
from tests.support.nodes.built_once import directory_once
from tests.support.nodes.fil_node import build
from tests.support.nodes.frail_node import NAME, FrailNode
from tests.support.projects.faulty_project import ROWS, Row
from tests.support.waiting import until

POOL_THREADS: Final = 6
"""A node's thread pools may still grow by so many threads after its first operation."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What must be as before, or must be told: the process, its release, and the state of its server."""

    boot_id: str
    vsn: str
    server: int
    count: int


@dataclass(frozen=True, slots=True)
class FaultyNode(FrailNode):
    """A node whose permanent release is 1.0. `limits` has the descriptors and threads of a boot after one operation."""

    limits: dict[str, tuple[int, int]] = field(default_factory=dict)

    def facts(self) -> Facts:
        """Look at the node."""
        snapshot = self.ask(methods.SNAPSHOT)
        server = next(process for process in snapshot.processes if process.name == "tiny_server")
        state = self.ask(methods.STATE, m.GetState(pid=server.pid)).state
        count = next(int(value.text) for key, value in state.items if "count" in key)
        return Facts(snapshot.info.boot_id, snapshot.info.vsn, server.pid, count)

    def count(self) -> None:
        """Change the server's state."""
        order = self.directory / "count"
        order.touch()
        until(lambda: not order.exists(), "the change of the state")

    def reset(self, vsn: str) -> None:
        """Make `vsn` current, and 1.0 permanent."""
        current = self.ask(methods.SNAPSHOT).info.vsn
        if current not in (vsn, "1.0"):
            reverted = self.done(methods.ROLLBACK, m.Rollback())
            assert reverted.outcome == "reverted", reverted.error
        if vsn not in (current, "1.0"):
            installed = self.done(methods.INSTALL, m.Install(vsn=vsn, again=True))
            assert installed.outcome == "installed", installed.error
        if vsn == "1.0" != current:
            assert self.ask(methods.SNAPSHOT).info.vsn == "1.0"

    @contextlib.contextmanager
    def striking(self, place: str, fault: str) -> Iterator[None]:
        """Have the node strike with `fault` at `place`, once."""
        order = self.directory / ("refuse-fork" if fault == "no fork" else f"strike-{place}")
        aside = self.folder / "strike"
        aside.write_text(fault)
        aside.rename(order)
        if fault == "no fork":
            self.count()  # the server has seen the order by the time that it has counted
        try:
            yield
        finally:
            order.unlink(missing_ok=True)

    def thaw(self) -> None:
        """Wait until the node has stopped itself, and let it go on."""
        node = self.process()
        until(lambda: node.status() == psutil.STATUS_STOPPED, "the frozen node")
        node.send_signal(signal.SIGCONT)

    def ensure_running(self) -> None:
        """Start the node anew unless it answers, so that one test's failure fails no other test."""
        with contextlib.suppress(Refused):
            self.ask(methods.OPERATIONS, m.ListLimit())
            return
        self.tiny("stop", code=None)
        self.tiny("start")

    def process(self) -> psutil.Process:
        """The node's OS process."""
        pid = self.parent()["node_pid"]
        assert isinstance(pid, int)
        return psutil.Process(pid)

    def runs_again(self) -> None:
        """Wait until the node answers; the pause of its parent before a boot is left out."""

        def answers() -> bool:
            said = self.parent()
            if said["phase"] == "ended":
                assert isinstance(said["pid"], int)
                os.kill(said["pid"], signal.SIGHUP)
            try:
                known = self.ask(methods.OPERATIONS, m.ListLimit()).operations
            except Refused:
                return False
            return all(one.ended is not None for one in known)

        until(answers, "the node's answer", shown=lambda: json.dumps(self.parent()))

    def check_leftovers(self) -> None:
        """The node has left no process, file, lock, thread or descriptor."""
        node = self.process()
        until(lambda: len(node.children(recursive=True)) == 1, "the end of all processes but the gateway")
        for folder, files in (("var/staging", set()), ("var/history", {"operations.jsonl"})):
            assert {path.name for path in (self.directory / folder).iterdir()} == files
        assert {path.name for path in (self.folder / "run").iterdir()} == {f"{NAME}.json", f"{NAME}.lock"}
        boot = self.ask(methods.SNAPSHOT).info.boot_id
        limit = self.limits.setdefault(boot, (node.num_fds(), node.num_threads() + POOL_THREADS))
        until(
            lambda: node.num_fds() <= limit[0] and node.num_threads() <= limit[1],
            "as few descriptors and threads as before",
            shown=lambda: f"{node.num_fds()}, {node.num_threads()}; before: {limit}",
        )


def vsn_of(name: str) -> str:
    """The version of a row's release."""
    return f"2.{list(ROWS).index(name)}"


def build_row(name: str, folder: Path) -> Path:
    """Build the release of a row."""
    return build(ROWS[name].project(folder / vsn_of(name), vsn_of(name)), folder)


@pytest.fixture
def faulty(faulty_node: FaultyNode) -> FaultyNode:
    """The file's node, which runs, whatever the test before this one left behind."""
    faulty_node.ensure_running()
    return faulty_node


@pytest.fixture(scope="module")
def faulty_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyNode]:
    """A node that runs 1.0; the test unpacks the other releases."""
    folder = tmp_path_factory.mktemp("faulty")
    node = FaultyNode(folder)
    (folder / "run").mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NODE_RUNTIME_RUN_DIR", str(folder / "run"))
        base = build(Row("", "").project(folder / "1.0", "1.0"), folder)
        directory_once(base, node.directory, install_beside_another)
        node.tiny("start")
        yield node
        node.tiny("stop", code=None)

"""Processes that a node leaves behind: forks of it, which inherit its locks and sockets, and programs that it started.

The node starts one of each kind whenever it boots.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from functools import partial

import pytest

from tests.support.nodes.tiny_node import TinyNode, install, is_gone, stopped_afterwards, tarball_of
from tests.support.waiting import until

KINDS = ("worker", "fork", "daemon", "program")
SERVER = """
import multiprocessing
import os
import signal
import subprocess
from pathlib import Path

from node_runtime import GenServer, gen_server

async def start_link():
    return await gen_server.start_link(TinyServer, name="tiny_server")

def told(kind):
    Path(f"left-{kind}.new").write_text(str(os.getpid()))
    os.rename(f"left-{kind}.new", f"left-{kind}")
    while True:
        signal.pause()

def forked(work):
    if os.fork() == 0:
        try:
            work()
        finally:
            os._exit(1)

def daemon():
    os.setsid()
    forked(lambda: told("daemon"))

class TinyServer(GenServer):
    def init(self):
        multiprocessing.get_context("fork").Process(target=told, args=("worker",), daemon=True).start()
        forked(lambda: told("fork"))
        forked(daemon)
        for kind, alone in (("program", False), ("service", True)):
            if not Path(f"left-{kind}").exists():
                started = subprocess.Popen(["sleep", "600"], start_new_session=alone)
                Path(f"left-{kind}").write_text(str(started.pid))
"""


@pytest.fixture(scope="module")
def forking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyNode]:
    """A node that runs, and has started processes of each kind."""
    folder = tmp_path_factory.mktemp("forking")
    tarball = tarball_of(folder, changes={"apps/tiny/src/tiny/server.py": SERVER})
    with stopped_afterwards(install(tarball, folder / "tiny")) as node:
        node.tiny("start")
        yield node
    os.kill(pid_of(node, "service"), signal.SIGKILL)


def pid_of(node: TinyNode, kind: str) -> int:
    told = node.directory / f"left-{kind}"
    until(told.exists, f"the start of the {kind}")
    return int(told.read_text())


def started_by(node: TinyNode) -> dict[str, int]:
    """The process of each kind that may not outlive the node."""
    pids = {kind: pid_of(node, kind) for kind in KINDS}
    for kind in KINDS:
        (node.directory / f"left-{kind}").unlink()
    return pids


def left(node: TinyNode, pids: dict[str, int]) -> set[str]:
    """The kinds of the processes that still run."""
    return {kind for kind, pid in (pids | {"service": pid_of(node, "service")}).items() if not is_gone(pid)}


def named_in(log: str) -> set[int]:
    """The processes that the last such line of the log names."""
    lines = re.findall(r"Ended \d processes that the node left behind: (.+)\.\n", log)
    assert lines, log
    return {int(pid) for pid in re.findall(r"(\d+) \(", lines[-1])}


def test_what_a_killed_node_leaves_behind_is_ended_and_named_before_the_next_boot(forking: TinyNode) -> None:
    pids, boots = started_by(forking), forking.parent["boots"]
    os.kill(forking.parent["node_pid"], signal.SIGKILL)
    until(
        lambda: forking.parent["boots"] > boots and forking.parent["phase"] == "running",
        "the next boot",
        shown=lambda: forking.log,
    )
    assert forking.parent["boots"] == boots + 1
    assert left(forking, pids) == {"service"}
    assert named_in(forking.log) == set(pids.values())


def test_forks_of_a_node_that_was_killed_with_its_parent_do_not_prevent_a_start(forking: TinyNode) -> None:
    pids, parent = started_by(forking), forking.parent
    for pid in (parent["pid"], parent["node_pid"]):
        os.kill(pid, signal.SIGKILL)
        until(partial(is_gone, pid), "its end")
    forking.tiny("start")
    assert left(forking, pids) == {"service", "program"}
    assert named_in(forking.log) == {pids[kind] for kind in ("worker", "fork", "daemon")}
    os.kill(pids["program"], signal.SIGKILL)


def test_a_node_that_is_stopped_leaves_nothing_behind(forking: TinyNode) -> None:
    pids = started_by(forking)
    forking.tiny("stop")
    assert left(forking, pids) == {"service"}
    forking.tiny("start")


def test_a_signal_that_ends_a_fork_does_not_reach_the_node(forking: TinyNode) -> None:
    pid = pid_of(forking, "fork")
    os.kill(pid, signal.SIGTERM)
    until(partial(is_gone, pid), "the end of the fork")
    assert forking.tiny("ping").stdout == "pong\n"

"""Whenever a node is killed, it boots its permanent release and reports the operation; then a retry succeeds.

The parent is killed in between, too. A node that is killed again and again is booted after longer and longer pauses.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.exit_codes import Refused
from tests.support.nodes.frail_node import NAME, FrailNode, frail, frail_tarballs
from tests.support.os_processes import command_line
from tests.support.waiting import until

__all__ = ["frail", "frail_tarballs"]

UP = ("upgrade", NAME, "2.0", "--yes")


def ended(client: subprocess.Popen[str]) -> int:
    """Wait for a client to exit; returns its exit code."""
    client.communicate(timeout=60)
    return client.returncode


def check(node: FrailNode, permanent: str = "1.0") -> None:
    """Check that one release is permanent, on disk and in the node, and runs."""
    record = json.loads((node.directory / "releases/record.json").read_text())
    on_disk = {vsn: held["status"] for vsn, held in record["releases"].items()}
    assert [vsn for vsn, status in on_disk.items() if status == "permanent"] == [permanent] == [record["permanent"]]
    assert node.statuses() == on_disk
    assert node.parent()["vsn"] == permanent
    assert [one.damaged for one in node.ask(methods.RELEASES).releases] == [None, None]
    assert not list((node.directory / "var/staging").glob("unpack-*"))


def retry(node: FrailNode) -> None:
    """Retry the operation, which must succeed now, and restore everything."""
    assert node.done(methods.INSTALL, m.Install(vsn="2.0")).outcome == "installed"
    assert node.statuses() == {"1.0": "permanent", "2.0": "current"}
    assert node.done(methods.ROLLBACK, m.Rollback()).outcome == "reverted"


def killed_while_holding(node: FrailNode, *whom: str) -> int:
    """Kill these in the middle of an install, and start the node; returns the client's exit code."""
    with node.stopped_at("hold"):
        client = node.begin(*UP)
        node.reaches("hold")
        until(node.holds, "the hold")
        node.kill(*whom)
    code = ended(client)
    until(lambda: node.tiny("start", code=None).returncode == 0, "a new start")
    check(node)
    assert (node.operation().kind, node.operation().outcome) == ("install", "restarted")
    retry(node)
    return code


def is_copied(node: FrailNode) -> bool:
    """Return whether the node has a forked child."""
    process = psutil.Process(int(str(node.parent()["node_pid"])))
    own = process.cmdline()
    return any(command_line(child) == own for child in process.children())


def test_a_node_killed_during_a_plan_has_changed_nothing(frail: FrailNode) -> None:
    with frail.booted_again(), frail.stopped_at("rehearsal"):
        client = frail.begin("plan", NAME, "2.0")
        until(lambda: is_copied(frail), "the copy of the node in which the body waits")
        frail.kill("node_pid")
        assert ended(client) == 3
    check(frail)
    assert frail.ask(methods.OPERATIONS, m.ListLimit()).operations == ()
    retry(frail)


def test_the_child_of_a_rehearsal_does_not_outlive_a_killed_node(frail: FrailNode) -> None:
    with frail.booted_again(), frail.stopped_at("rehearsal"):
        frail.ask(methods.INSTALL, m.Install(vsn="2.0"))
        pid = frail.parent()["node_pid"]
        assert isinstance(pid, int)
        until(lambda: frail.operation().phase == "rehearsing", "the rehearsal")
        until(psutil.Process(pid).children, "the rehearsing child")
        children = psutil.Process(pid).children()
        frail.kill("node_pid")
        until(lambda: not any(child.is_running() for child in children), "the end of the rehearsing child")
    check(frail)
    told = frail.operation()
    assert (told.kind, told.to_vsn, told.outcome) == ("install", "2.0", "restarted")
    retry(frail)


@pytest.mark.parametrize(
    "point",
    ["hold", pytest.param("run", marks=pytest.mark.slow)],  # the test of a release that kills the node is at `run`, too
)
def test_a_node_killed_during_an_install_boots_its_permanent_release(frail: FrailNode, point: str) -> None:
    with frail.booted_again(), frail.stopped_at(point):
        client = frail.begin(*UP)
        frail.reaches(point)
        if point == "hold":
            until(frail.holds, "the hold")
        frail.kill("node_pid")
        assert ended(client) == 5
    check(frail)
    told = frail.operation()
    assert (told.kind, told.to_vsn, told.outcome) == ("install", "2.0", "restarted")
    doing = "holding" if point == "hold" else "migrating"
    assert told.error == f"The node was ended by signal 9 while {doing}. Its permanent release, 1.0, booted."
    retry(frail)


@pytest.mark.slow  # the test of a killed parent ends the node, too
def test_a_node_killed_together_with_its_parent_boots_its_permanent_release(frail: FrailNode) -> None:
    assert killed_while_holding(frail, "pid", "node_pid") == 5


def test_a_release_whose_code_kills_the_node_is_marked_as_failed(
    frail: FrailNode, frail_tarballs: dict[str, Path]
) -> None:
    with frail.booted_again(), frail.stopped_at("run"):
        frail.ask(methods.INSTALL, m.Install(vsn="2.0"))
        frail.reaches("run")
        said = frail.parent()["node_pid"]
        assert isinstance(said, int)
        os.kill(said, signal.SIGSEGV)
    check(frail)
    error = "The node was ended by signal 11 while migrating. Its permanent release, 1.0, booted."
    assert (frail.operation().outcome, frail.operation().error) == ("restarted", error)
    with pytest.raises(
        Refused, match=r"Release 2\.0 failed on this node before: The node was ended by signal 11\. Pass --again"
    ):
        frail.ask(methods.INSTALL, m.Install(vsn="2.0"))
    assert frail.done(methods.INSTALL, m.Install(vsn="2.0", again=True)).outcome == "installed"
    assert frail.done(methods.ROLLBACK, m.Rollback()).outcome == "reverted"
    frail.ask(methods.REMOVE, m.ReleaseVsn(vsn="2.0"))
    frail.operate("stage", frail_tarballs["2.0"])


@pytest.mark.slow  # tests/cli/test_launcher.py has such an upgrade
def test_a_node_killed_during_the_probation_boots_its_permanent_release(frail: FrailNode) -> None:
    assert frail.done(methods.INSTALL, m.Install(vsn="2.0")).outcome == "installed"
    with frail.booted_again():
        frail.kill("node_pid")
    check(frail)
    told = frail.operation()
    assert (told.kind, told.outcome, told.probation_until) == ("install", "restarted", None)
    retry(frail)


@pytest.mark.slow  # test_crash_points_of_a_node.py kills in a rollback
def test_a_node_killed_during_a_rollback_boots_its_permanent_release(frail: FrailNode) -> None:
    assert frail.done(methods.INSTALL, m.Install(vsn="2.0")).outcome == "installed"
    with frail.booted_again(), frail.stopped_at("rollback"):
        client = frail.begin("rollback", NAME, "--yes")
        frail.reaches("rollback")
        frail.kill("node_pid")
        assert ended(client) == 6, "the command waits for the node, and tells that it was restarted"
    check(frail)
    told = frail.operation()
    assert (told.kind, told.to_vsn, told.outcome) == ("revert", "1.0", "restarted")
    retry(frail)


def test_a_node_whose_parent_is_killed_ends_in_order(frail: FrailNode) -> None:
    assert killed_while_holding(frail, "pid") in {0, 5}


def test_of_two_concurrent_installs_the_second_is_refused_and_names_the_first(frail: FrailNode) -> None:
    with frail.stopped_at("hold"):
        clients = [frail.begin(*UP), frail.begin(*UP)]
        until(lambda: any(client.poll() is not None for client in clients), "the refusal")
        loser, winner = sorted(clients, key=lambda client: client.poll() is None)
        assert "is installing release 2.0 (operation " in loser.communicate()[1]
        assert loser.returncode == 1
    assert ended(winner) == 0
    assert frail.done(methods.ROLLBACK, m.Rollback()).outcome == "reverted"


def test_an_operation_goes_on_when_its_client_is_gone(frail: FrailNode) -> None:
    with frail.stopped_at("hold"):
        client = frail.begin(*UP)
        frail.reaches("hold")
        until(frail.holds, "the hold")
        client.kill()
        ended(client)
    until(lambda: frail.operation().outcome == "installed", "the end of the operation")
    assert frail.done(methods.ROLLBACK, m.Rollback()).outcome == "reverted"


@contextlib.contextmanager
def a_pipe_at(path: Path) -> Iterator[None]:
    """A named pipe at `path`: a writer blocks when it opens it, since nothing reads."""
    aside = path.with_name(f"{path.name}.aside")
    if path.exists():
        path.rename(aside)
    os.mkfifo(path)
    try:
        yield
    finally:
        path.unlink()
        if aside.exists():
            aside.rename(path)


@pytest.mark.parametrize(
    ("file", "permanent", "outcome"),
    [
        pytest.param("releases/.record.json.new", "1.0", "restarted", id="before its record is written"),
        # test_crash_points_of_a_node.py kills in a commit, too
        pytest.param("var/history/operations.jsonl", "2.0", "committed", id="after", marks=pytest.mark.slow),
    ],
)
def test_a_node_killed_during_a_commit_boots_the_release_that_its_record_names(
    frail: FrailNode, file: str, permanent: str, outcome: str
) -> None:
    assert frail.done(methods.INSTALL, m.Install(vsn="2.0")).outcome == "installed"
    parent = frail.parent()["pid"]
    assert isinstance(parent, int)
    with frail.booted_again():
        with a_pipe_at(frail.directory / file):
            client = frail.begin("commit", NAME)
            until((frail.directory / "var/history/intent.json").exists, "the commit's intent")
            record = frail.directory / "releases/record.json"
            until(lambda: json.loads(record.read_text())["permanent"] == permanent, "the commit record")
            os.kill(parent, signal.SIGSTOP)  # until the pipe is gone
            frail.kill("node_pid")
            assert ended(client) == 5
        os.kill(parent, signal.SIGCONT)
    check(frail, permanent)
    assert (frail.operation().kind, frail.operation().outcome) == ("commit", outcome)
    if permanent == "1.0":
        retry(frail)

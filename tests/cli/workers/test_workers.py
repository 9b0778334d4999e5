"""A node with several workers: they share a port, change their release one after the other, and stay together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.nodes.tiny_node import NAME, TinyNode, install, is_gone, stopped_afterwards
from tests.support.nodes.worker_node import WORKERS, WorkerNode, free_port, worker_tarballs
from tests.support.waiting import until

__all__ = ["worker_tarballs"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workers(worker_tarballs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerNode]:
    """A node whose three workers run 1.0, the permanent release. Each test leaves them so."""
    with stopped_afterwards(install(worker_tarballs["1.0"], tmp_path_factory.mktemp("node") / "tiny")) as node:
        port = free_port()
        node.set("sys.toml", f"[tiny]\nhttp_port = {port}\n")
        node.tiny("start")
        for vsn in ("2.0", "2.1", "2.2"):
            node.operate("stage", worker_tarballs[vsn])
        yield WorkerNode(node, port)


def test_the_workers_are_os_processes_that_share_the_port_and_have_their_own_states(workers: WorkerNode) -> None:
    said = workers.visit_all()
    assert sorted(said) == list(WORKERS)
    assert len({one["pid"] for one in said.values()}) == 3
    assert said[1]["pid"] == workers.node.pid()


def test_a_log_line_names_its_worker(workers: WorkerNode) -> None:
    lines = workers.node.log.splitlines()
    assert all(any(f" INFO 1.0 worker {number} " in line for line in lines) for number in WORKERS)


def test_an_upgrade_goes_through_all_workers_as_one_operation_and_so_does_its_rollback(workers: WorkerNode) -> None:
    before = workers.visit_all()
    workers.node.operate("upgrade", "2.0", "--yes")
    assert workers.versions() == {1: "2.0", 2: "2.0", 3: "2.0"}
    operation = json.loads(workers.node.operate("results", "-o", "json").stdout)
    assert [step["phase"] for step in operation["steps"]][-2:] == ["worker 2", "worker 3"]
    workers.node.operate("rollback", "--yes")
    after = workers.visit_all()
    assert {one["vsn"] for one in after.values()} == {"1.0"}
    assert {number: one["pid"] for number, one in after.items()} == {n: one["pid"] for n, one in before.items()}
    assert all(int(str(after[number]["visits"])) > int(str(before[number]["visits"])) for number in WORKERS)


def test_a_later_workers_failure_takes_those_back_that_are_done(workers: WorkerNode) -> None:
    before = workers.visit_all()
    said = workers.node.operate("upgrade", "2.2", "--yes", code=6).stdout
    assert "worker 3" in said
    assert "another kind of state" in said
    assert "rolled back from 2.2 to 1.0" in said
    after = workers.visit_all()
    assert {one["vsn"] for one in after.values()} == {"1.0"}
    assert {number: one["pid"] for number, one in after.items()} == {n: one["pid"] for n, one in before.items()}


def test_versions_serve_side_by_side_and_if_worker_1_dies_then_the_others_return_to_the_permanent_release(
    workers: WorkerNode,
) -> None:
    before = workers.visit_all()
    gate = workers.node.folder / "open"
    upgrade = begin(workers.node, "upgrade", "2.1", "--yes")
    workers.until_versions("2.1", "1.0", "1.0")
    os.kill(workers.node.pid() or 0, signal.SIGKILL)
    upgrade.wait(60)
    gate.touch()
    workers.until_versions("1.0", "1.0", "1.0")
    after = workers.visit_all()
    assert [after[number]["pid"] == before[number]["pid"] for number in WORKERS] == [False, True, True]
    assert json.loads(workers.node.operate("results", "-o", "json").stdout)["outcome"] == "restarted"


def test_a_worker_that_dies_boots_again_alone_into_the_release_of_worker_1(workers: WorkerNode) -> None:
    before = workers.visit_all()
    os.kill(int(str(before[3]["pid"])), signal.SIGKILL)
    until(lambda: workers.visit_all()[3]["pid"] != before[3]["pid"], "another worker 3", shown=lambda: workers.log)
    after = workers.visit_all()
    assert [after[number]["pid"] == before[number]["pid"] for number in (1, 2)] == [True, True]
    assert after[3]["vsn"] == "1.0"


def test_a_worker_that_dies_on_probation_makes_the_whole_node_revert(workers: WorkerNode) -> None:
    workers.node.operate("upgrade", "2.0", "--yes", "--again")
    os.kill(int(str(workers.visit_all()[2]["pid"])), signal.SIGKILL)
    workers.until_versions("1.0", "1.0", "1.0")
    until(lambda: "worker 2 ended" in workers.node.operate("results").stdout, "the reason", shown=lambda: workers.log)


def test_a_worker_that_cannot_boot_is_shown_with_its_reason_and_a_release_is_reverted_because_of_it(
    workers: WorkerNode,
) -> None:
    third = int(str(workers.visit_all()[3]["pid"]))
    broken = workers.node.folder / "broken"
    broken.touch()
    os.kill(third, signal.SIGKILL)
    until(
        lambda: "worker 3 is broken" in workers.node.operate("status").stdout, "the reason", shown=lambda: workers.log
    )
    workers.node.operate("upgrade", "2.0", "--yes", "--again", code=None)
    until(lambda: "worker 3 ended" in workers.node.operate("results").stdout, "the revert", shown=lambda: workers.log)
    broken.unlink()
    workers.until_versions("1.0", "1.0", "1.0")


def test_a_worker_can_be_inspected_but_leaves_what_concerns_the_node_to_worker_1(workers: WorkerNode) -> None:
    second = "tiny.2@127.0.0.1"
    assert "tiny_server" in workers.node.hotdash("ps", second).stdout
    assert f"send it to {NAME}" in workers.node.hotdash("upgrade", second, "2.0", "--yes", code=1).stderr


def test_a_cold_upgrade_restarts_all_workers_and_so_does_its_rollback(workers: WorkerNode) -> None:
    before = workers.visit_all()
    workers.node.operate("upgrade", "2.0", "--cold", "--yes", "--again")
    workers.until_versions("2.0", "2.0", "2.0")
    assert not {one["pid"] for one in before.values()} & {one["pid"] for one in workers.visit_all().values()}
    workers.node.operate("rollback", "--yes")
    workers.until_versions("1.0", "1.0", "1.0")


def test_a_restart_waits_for_the_processes_that_are_still_ending(workers: WorkerNode) -> None:
    slow = int(str(workers.visit_all()[3]["pid"]))
    os.kill(slow, signal.SIGSTOP)
    boots = int(workers.node.parent["boots"])

    def worker_1_is_back() -> bool:
        parent = workers.node.parent
        return bool(parent["boots"] > boots and parent["phase"] == "running")

    restart = begin(workers.node, "restart", stdout=subprocess.PIPE)
    until(worker_1_is_back, "worker 1 again", shown=lambda: workers.log)
    assert workers.node.parent["workers"][1]["phase"] == "ending"
    os.kill(slow, signal.SIGCONT)
    said, _ = restart.communicate(timeout=60)
    assert "Worker 3 runs as process" in said
    assert f"process {slow}." not in said
    workers.until_versions("1.0", "1.0", "1.0")


def test_each_worker_is_shown(workers: WorkerNode) -> None:
    until(lambda: "down" not in workers.node.operate("status").stdout, "all workers", shown=lambda: workers.log)
    told = json.loads(workers.node.operate("status", "-o", "json").stdout)["workers"]
    assert [(one["number"], one["name"], one["vsn"]) for one in told] == [
        (1, NAME, "1.0"),
        (2, "tiny.2@127.0.0.1", "1.0"),
        (3, "tiny.3@127.0.0.1", "1.0"),
    ]
    assert len(json.loads(workers.node.hotdash("nodes", "-o", "json").stdout)) == 3
    assert NAME in workers.node.hotdash("nodes", "--worker", "1").stdout


def test_a_commit_makes_a_release_permanent_for_all_and_stop_ends_all(workers: WorkerNode) -> None:
    workers.node.operate("upgrade", "2.0", "--yes", "--again")
    workers.node.operate("commit")
    os.kill(int(str(workers.visit_all()[1]["pid"])), signal.SIGKILL)
    workers.until_versions("2.0", "2.0", "2.0")
    pids = [int(str(one["pid"])) for one in workers.visit_all().values()]
    workers.node.tiny("stop")
    assert all(map(is_gone, pids))


def begin(node: TinyNode, *words: str, stdout: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    """Run bin/tiny without waiting for its end."""
    return subprocess.Popen([str(node.script), *words], env=node.environment, stdout=stdout, text=True)

"""Whatever the step at which an operation is killed or the disk fails, a boot finds one whole permanent release.

Nothing half remains after that boot, and a retry succeeds. In `make test` each case has one fault at a sample of its
crash points; `make test-all` has all faults, and `make crash` all faults at all points.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from tests.support.faults.crash_points import CrashPoint, crash_points, run_once
from tests.support.faults.durability import lost_by_power_cuts
from tests.support.faults.injector import FAULTS
from tests.support.faults.node_state import State, boot, leftovers, state_of
from tests.support.faults.release_operations import CASES, Case, tarballs_in
from tests.support.matrix import matrix

EVERY: Final = int(os.environ.get("CRASH_POINTS_EVERY", "47"))
"""One of so many crash points is tried."""


@pytest.fixture(scope="module")
def tarballs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The tarballs, which the operations only read."""
    return tarballs_in(tmp_path_factory.mktemp("read-only") / "tarballs")


def prepared(case: Case, tarballs: dict[str, Path], folder: Path) -> Path:
    """A folder in which the operation can begin."""
    folder.mkdir()
    case.prepare(folder, tarballs)
    return folder


@pytest.mark.parametrize(("name", "fault"), matrix(CASES, FAULTS))
def test_after_each_crash_point_the_node_boots_and_a_retry_succeeds(
    tmp_path: Path, tarballs: dict[str, Path], name: str, fault: str
) -> None:
    case = CASES[name]
    before = prepared(case, tarballs, tmp_path / "before")
    done = prepared(case, tarballs, tmp_path / "done")
    case.operation(done, tarballs)
    states = [state_of(before / "node"), state_of(done / "node")]
    tried = 0
    for point in crash_points(lambda folder: case.operation(folder, tarballs), before, fault, EVERY):
        tried += 1
        check_end(case, point)
        check_retry(case, tarballs, point, states)
    assert tried


def check_end(case: Case, point: CrashPoint) -> None:
    """The operation was killed, or has said clearly that it failed."""
    wanted = {"kill": {"killed"}}.get(point.fault, {"refused"} if case.is_command else {"refused", "failed"})
    if point.fault != "kill" and is_repeated_later(case, point):
        wanted = wanted | {"done"}
    assert point.run.ended in wanted, point


def is_repeated_later(case: Case, point: CrashPoint) -> bool:
    """Returns whether the step may fail in silence.

    The next boot deletes what is left, and repeats the update of the launcher; the next entry repeats the head of the
    audit log.
    """
    path = os.path.relpath(point.step.path, point.folder.with_name("before-whole") / "node")
    is_deletion = point.fault == "fail" and point.step.kind in {"unlink", "rmdir"}
    is_launcher = path.split("/")[0] == "bin" and not case.is_command
    return is_deletion or is_launcher or path in {"var/audit.head", "var/audit.new"}


def check_retry(case: Case, tarballs: dict[str, Path], point: CrashPoint, states: list[State]) -> None:
    """The next boot finds the state before the operation or after it; a retry brings the latter."""
    node, (before, after) = point.folder / "node", states
    if case.is_new and not (node / "releases/record.json").exists():
        assert point.fault == "kill" or not node.exists(), point
        found = before
    else:
        boot(node)
        found = state_of(node)
        assert found in states, point
        assert leftovers(node) == [], point
    retried = run_once(lambda folder: case.operation(folder, tarballs), point.folder)
    assert retried.ended == "done" or found == after, (point, retried)
    boot(node)
    assert state_of(node) == after, point
    assert leftovers(node) == [], point


@pytest.mark.parametrize("name", CASES)
def test_the_record_is_replaced_when_all_that_it_names_would_survive_a_power_cut(
    tmp_path: Path, tarballs: dict[str, Path], name: str
) -> None:
    case = CASES[name]
    folder = prepared(case, tarballs, tmp_path / "before")
    run = run_once(lambda folder: case.operation(folder, tarballs), folder)
    for step, lost in lost_by_power_cuts(run.steps):
        if step is None or step.target.endswith("record.json"):
            kept = {os.path.relpath(path, folder / "node") for path in lost - {step.path if step else ""}}
            assert {path for path in kept if path.split("/")[0] != "var"} == set(), step

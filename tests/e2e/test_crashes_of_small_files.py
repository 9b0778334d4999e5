"""Release keys, the history of operations and a node's record: nothing half remains of an interrupted change.

A retry succeeds.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Literal

import pytest

from node_runtime.cli import commands
from node_runtime.protocol.messages import Operation
from node_runtime.protocol.run_directory import NodeRecord, read_record, write_record
from node_runtime.releases.operation_history import OperationHistory
from tests.support.faults.crash_points import CrashPoint, crash_points, run_once
from tests.support.faults.injector import FAULTS

NAME = "r@127.0.0.1"


@pytest.fixture
def before(tmp_path: Path) -> Path:
    folder = tmp_path / "before"
    folder.mkdir()
    return folder


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def failed_clearly(point: CrashPoint) -> bool:
    """Returns whether the process was killed, or has said that its work failed."""
    return point.run.ended == ("killed" if point.fault == "kill" else "refused")


def new_release_key(folder: Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        commands.run(["keys", "new", str(folder / "ana"), "--no-password"])


@pytest.mark.parametrize("fault", ["fail", "full"])
def test_on_a_failing_disk_no_half_of_a_release_key_remains(before: Path, fault: str) -> None:
    for point in crash_points(new_release_key, before, fault):
        assert failed_clearly(point), point
        assert names(point.folder) == set(), point
        assert run_once(new_release_key, point.folder).ended == "done", point


def operation(outcome: Literal["aborted"] | None = None) -> Operation:
    phase = outcome or "begun"
    return Operation(
        id="one", kind="install", from_vsn="1", to_vsn="2", who="ana", started=1.0, phase=phase, outcome=outcome
    )


def carry_out(folder: Path) -> None:
    history = OperationHistory(folder / "history", "1")
    history.begin(operation())
    history.end(operation("aborted"))


@pytest.mark.parametrize("fault", FAULTS)
def test_each_operation_has_one_outcome_and_no_intent_after_the_next_boot(before: Path, fault: str) -> None:
    for point in crash_points(carry_out, before, fault):
        if fault != "kill" and "intent" in point.step.path and point.step.kind != "unlink":
            assert point.run.ended == "failed", point  # without its intent on the disk, no operation may begin
        known = OperationHistory(point.folder / "history", "1").operations
        assert [one.outcome for one in known] in ([], ["restarted"], ["aborted"]), point
        assert names(point.folder) == {"history/operations.jsonl"}, point
        assert run_once(carry_out, point.folder).ended == "done", point
        known = OperationHistory(point.folder / "history", "1").operations
        assert [one.outcome for one in known] == ["aborted"], point


def record(boot_id: str, directory: Path) -> NodeRecord:
    return NodeRecord(
        name=NAME,
        os_pid=1,
        boot_id=boot_id,
        host="127.0.0.1",
        port=1,
        events_port=2,
        directory=str(directory),
        release="r",
        vsn="1",
        started=1.0,
    )


@pytest.mark.parametrize("fault", FAULTS)
def test_clients_find_the_record_of_a_boot_or_of_the_one_before(
    before: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    def publish(folder: Path) -> None:
        monkeypatch.setenv("NODE_RUNTIME_RUN_DIR", str(folder / "run"))
        write_record(record("second", before))

    monkeypatch.setenv("NODE_RUNTIME_RUN_DIR", str(before / "run"))
    write_record(record("first", before))
    for point in crash_points(publish, before, fault):
        monkeypatch.setenv("NODE_RUNTIME_RUN_DIR", str(point.folder / "run"))
        found = read_record(NAME)
        assert found is not None, point
        assert found.boot_id in {"first", "second"}, point
        assert run_once(publish, point.folder).ended == "done", point
        assert read_record(NAME) == record("second", before), point
        assert names(point.folder / "run") == {f"{NAME}.json"}, point

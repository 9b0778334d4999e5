"""The commit record: one permanent release at any time, also after a crash during the write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.store import commit_record


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "releases").mkdir()
    return tmp_path


def statuses(known: commit_record.CommitRecord | None) -> dict[str, str]:
    assert known is not None
    return {vsn: held.status for vsn, held in known.releases.items()}


def test_a_commit_makes_one_release_permanent_and_the_other_old(directory: Path) -> None:
    commit_record.save(
        directory, commit_record.first_record("1").with_unpacked("2").with_unpacked("3").with_permanent("2")
    )
    known = commit_record.load(directory)
    assert statuses(known) == {"1": "old", "2": "permanent", "3": "unpacked"}
    assert known is not None
    assert known.permanent == "2"


def test_current_is_never_on_disk(directory: Path) -> None:
    commit_record.save(directory, commit_record.first_record("1").with_unpacked("2"))
    assert "current" not in commit_record.record_path(directory).read_text()


def test_the_permanent_release_cannot_be_removed() -> None:
    with pytest.raises(Refused, match="permanent"):
        commit_record.first_record("1").without("1")


def test_an_unknown_release_is_named_with_the_known_ones() -> None:
    with pytest.raises(Refused, match="no release 3 on this node; known releases: 1, 2"):
        commit_record.first_record("1").with_unpacked("2").with_permanent("3")


def test_a_known_release_is_not_added_again() -> None:
    with pytest.raises(Refused, match="1 is already permanent"):
        commit_record.first_record("1").with_unpacked("1")


def test_a_directory_without_a_record_has_none(directory: Path) -> None:
    assert commit_record.load(directory) is None


def test_a_power_cut_during_the_write_leaves_the_old_record(directory: Path) -> None:
    commit_record.save(directory, commit_record.first_record("1"))
    torn = commit_record.record_path(directory).with_name(".record.json.new")
    torn.write_bytes(commit_record.record_path(directory).read_bytes()[:20])
    assert statuses(commit_record.load(directory)) == {"1": "permanent"}
    commit_record.save(directory, commit_record.first_record("1").with_unpacked("2"))
    assert statuses(commit_record.load(directory)) == {"1": "permanent", "2": "unpacked"}


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.update(permanent="9"),
        lambda data: data["releases"].clear(),
        lambda data: data["releases"].update({"2": {"status": "permanent", "staged": 1.0}}),
        lambda data: data.update(schema=2),
        lambda data: data.update(more=1),
        lambda data: data["releases"].update({"../x": {"status": "old", "staged": 1.0}}),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(directory: Path, change: object) -> None:
    commit_record.save(directory, commit_record.first_record("1"))
    data = json.loads(commit_record.record_path(directory).read_text())
    change(data)  # type: ignore[operator]  # a lambda of the list above
    commit_record.record_path(directory).write_text(json.dumps(data))
    with pytest.raises(Refused, match=r"record\.json can't be read"):
        commit_record.load(directory)

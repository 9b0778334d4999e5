"""The audit log: a chain of lines that notices what was changed, removed or deleted."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node_runtime.control.audit import AuditLog, audited, node_entry, open_audit_log, verify
from node_runtime.control.audit import audit_log as writer
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.local_user import os_user
from node_runtime.protocol.messages import AuditCheck

SCRIPT = Path("/srv/fil/bin/fil")


def log_with(directory: Path, entries: int = 0) -> AuditLog:
    log = open_audit_log(directory)
    for number in range(1, entries + 1):
        log.write(node_entry("boot", f"run {number}", "done"))
    return log


def current(directory: Path) -> Path:
    return directory / "var/audit.jsonl"


def lines(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in current(directory).read_text().splitlines()]


def checked(directory: Path, heads: list[str] | None = None) -> AuditCheck:
    return verify(directory, SCRIPT, heads)


def edit(directory: Path, change: Callable[[list[bytes]], list[bytes]], *, head_too: bool = False) -> None:
    """Change the lines of the newest file; with `head_too`, delete the head file, as a careful intruder would."""
    path = current(directory)
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    if head_too:
        (directory / "var/audit.head").unlink()


# ------------------------------------------------------------------ the chain


def test_each_line_has_a_number_and_the_hash_of_the_line_before(tmp_path: Path) -> None:
    log_with(tmp_path, 3)
    raw = current(tmp_path).read_bytes().splitlines()
    assert [line["seq"] for line in lines(tmp_path)] == [1, 2, 3]
    assert [line.get("prev") for line in lines(tmp_path)] == [
        None, *(hashlib.sha256(line).hexdigest() for line in raw[:2])
    ]  # fmt: skip
    assert checked(tmp_path).intact
    assert current(tmp_path).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda raw: [raw[0], raw[1].replace(b"run 2", b"run 9"), raw[2]], "line 3: the line before it was changed"),
        (lambda raw: [raw[0], raw[2]], "line 2: entry 2 is missing before it"),
        (lambda raw: raw[1:], "entry 1 is missing"),
        (lambda raw: [raw[0], raw[0], *raw[1:]], "line 2: entry 1 appears a second time"),
        (lambda raw: [raw[0], b"{}\n", *raw[1:]], "line 2: this line does not belong to the chain"),
        (lambda raw: raw[:2], "the newest entries are missing: audit.head has recorded entry 3"),
        (lambda raw: [], "the newest entries are missing: audit.head has recorded entry 3"),
        (lambda raw: [*raw[:2], raw[2].replace(b"run 3", b"run 9")], "line 3: this line was changed"),
    ],
)
def test_an_edit_is_found_and_its_place_named(
    tmp_path: Path, change: Callable[[list[bytes]], list[bytes]], finding: str
) -> None:
    log_with(tmp_path, 3)
    edit(tmp_path, change)
    check = checked(tmp_path)
    assert not check.intact
    assert finding in check.sentence


def test_a_deleted_log_is_noticed_when_the_next_entry_is_written(tmp_path: Path) -> None:
    log_with(tmp_path, 3)
    current(tmp_path).unlink()
    log_with(tmp_path, 1)
    gap, entry = lines(tmp_path)
    assert (gap["method"], gap["subject"], gap["seq"]) == ("audit_gap", "entries 1 to 3", 4)
    assert entry["seq"] == 5
    assert "entries 1 to 3 are missing" in checked(tmp_path).sentence


@pytest.mark.parametrize("kept", [0, 1])
def test_a_running_node_notices_that_its_log_was_cut_even_if_nothing_else_tells(tmp_path: Path, kept: int) -> None:
    log = log_with(tmp_path, 3)
    edit(tmp_path, lambda raw: raw[:kept], head_too=True)
    log.write(node_entry("boot", "run 4", "done"))
    assert (lines(tmp_path)[kept]["method"], lines(tmp_path)[kept]["subject"]) == (
        "audit_gap", f"entries {kept + 1} to 3"
    )  # fmt: skip
    assert not checked(tmp_path).intact


def test_a_cut_last_line_is_removed_and_the_chain_goes_on(tmp_path: Path) -> None:
    log_with(tmp_path, 2)
    with current(tmp_path).open("ab") as file:
        file.write(b'{"at": 1.0, "who": "a')
    log_with(tmp_path, 1)
    assert [line["method"] for line in lines(tmp_path)] == ["boot", "boot", "audit_repair", "boot"]
    assert checked(tmp_path).intact


def test_entries_that_were_made_to_look_like_a_crash_are_missed(tmp_path: Path) -> None:
    log_with(tmp_path, 2)
    current(tmp_path).write_bytes(current(tmp_path).read_bytes()[:-10])
    log_with(tmp_path, 1)
    assert "entry 2 is missing" in checked(tmp_path).sentence


def test_the_lines_of_an_older_version_may_stand_before_the_chain(tmp_path: Path) -> None:
    current(tmp_path).parent.mkdir()
    old = {
        "at": 1.0,
        "who": "ann",
        "role": "operator",
        "peer": "",
        "method": "commit",
        "subject": "2",
        "phase": "intent",
    }
    current(tmp_path).write_text(json.dumps(old) + "\n")
    log = log_with(tmp_path, 2)
    assert checked(tmp_path).entries == 2
    assert checked(tmp_path).intact
    assert [entry.seq for entry in log.newest(10)] == [0, 1, 2]
    edit(tmp_path, lambda raw: [raw[0].replace(b"ann", b"bob"), *raw[1:]])
    assert "line 2: the line before it was changed" in checked(tmp_path).sentence


def test_several_processes_append_to_one_chain(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from node_runtime.control.audit import open_audit_log, node_entry\n"
        "log = open_audit_log(Path(sys.argv[1]))\n"
        "for number in range(25): log.write(node_entry('boot', sys.argv[2], ''))"
    )
    writers = [subprocess.Popen((sys.executable, "-c", program, tmp_path, name)) for name in ("a", "b", "c")]
    assert [one.wait(60) for one in writers] == [0, 0, 0]
    assert [line["seq"] for line in lines(tmp_path)] == list(range(1, 76))
    assert checked(tmp_path).intact


# ------------------------------------------------------------------ size


def test_one_huge_line_hides_no_other_entry(tmp_path: Path) -> None:
    """An older version wrote reasons of any length, and then read only the last MiB."""
    log_with(tmp_path, 1)
    with current(tmp_path).open("ab") as file:
        file.write(json.dumps({"reason": "x" * (3 << 20)}).encode() + b"\n")
    log = log_with(tmp_path, 1)
    assert [entry.subject for entry in log.newest(10) if entry.method == "boot"] == ["run 1", "run 1"]


def test_each_field_of_an_entry_is_clipped_before_it_is_written(tmp_path: Path) -> None:
    log = log_with(tmp_path)
    log.write(node_entry("m" * 1000, "s" * 900_000, "o" * 900_000, "r" * 900_000))
    assert current(tmp_path).stat().st_size < 3000
    (entry,) = log.newest(1)
    assert (len(entry.subject), len(entry.reason or ""), len(entry.outcome or "")) == (301, 501, 1001)


def test_a_full_file_is_moved_away_and_the_chain_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_FILE_BYTES", 1000)
    log = log_with(tmp_path, 20)
    earlier = sorted((tmp_path / "var/audit").iterdir())
    assert len(earlier) > 2
    assert all(path.stat().st_size < 1500 for path in earlier)
    assert [entry.subject for entry in log.newest(100)] == [f"run {number}" for number in range(1, 21)]
    assert (checked(tmp_path).first, checked(tmp_path).last) == (1, 20)
    assert checked(tmp_path).intact
    log_with(tmp_path, 1)
    assert checked(tmp_path).last == 21
    earlier[1].unlink()
    assert "missing before it" in checked(tmp_path).sentence


def test_the_oldest_file_is_deleted_at_the_limit_and_the_log_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_FILE_BYTES", 1000)
    monkeypatch.setattr(writer, "MAX_EARLIER_FILES", 3)
    log_with(tmp_path, 60)
    earlier = sorted((tmp_path / "var/audit").iterdir())
    assert len(earlier) == 3
    check = checked(tmp_path)
    assert (check.intact, check.first) == (True, int(earlier[0].stem))
    earlier[0].unlink()
    assert f"entries 1 to {int(earlier[1].stem) - 1} are missing" in checked(tmp_path).sentence


# ------------------------------------------------------------------ the anchor


def set_anchor(directory: Path, anchor: Path | str) -> None:
    (directory / "etc").mkdir(exist_ok=True)
    (directory / "etc/node.toml").write_text(f'audit_anchor = "{anchor}"\n')


def rewritten(directory: Path, entries: int) -> None:
    """Replace the log by another valid chain, as somebody with the node's user id can."""
    current(directory).unlink()
    (directory / "var/audit.head").unlink()
    log_with(directory, entries)


def test_without_an_anchor_a_verification_says_what_it_can_not_notice(tmp_path: Path) -> None:
    set_anchor(tmp_path, "none")
    log_with(tmp_path, 2)
    rewritten(tmp_path, 2)
    check = checked(tmp_path)
    assert check.intact
    assert "it has no anchor" in check.sentence


def test_another_valid_chain_does_not_fit_its_anchor(tmp_path: Path) -> None:
    anchor = tmp_path / "anchor"
    anchor.touch()
    set_anchor(tmp_path, anchor)
    log_with(tmp_path, 3)
    assert checked(tmp_path).intact
    rewritten(tmp_path, 2)
    assert f"line 1: this line was changed after the anchor {anchor} had recorded it" in checked(tmp_path).sentence


def test_entries_that_only_the_anchor_knows_are_missed(tmp_path: Path) -> None:
    anchor = tmp_path / "anchor"
    anchor.touch()
    set_anchor(tmp_path, anchor)
    log_with(tmp_path, 3)
    edit(tmp_path, lambda raw: raw[:1], head_too=True)
    assert f"the anchor {anchor} has recorded entry 3" in checked(tmp_path).sentence


def test_an_anchor_that_the_nodes_user_can_rewrite_is_called_weak(tmp_path: Path) -> None:
    anchor = tmp_path / "anchor"
    anchor.touch()
    set_anchor(tmp_path, anchor)
    log_with(tmp_path, 1)
    assert "belongs to the node's user, who can rewrite it" in checked(tmp_path).sentence
    if os.geteuid() == 0:
        os.chown(anchor, 4321, 4321)
        assert "run `chattr +a` on it" in checked(tmp_path).sentence


def test_heads_go_to_a_log_daemon_and_its_file_can_be_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket has at most 107 bytes
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind("log")
        set_anchor(tmp_path, tmp_path / "log")
        log_with(tmp_path, 2)
        received = [daemon.recv(4096).decode() for _ in range(2)]
    assert all(line.startswith("<85>hotdash-audit[") for line in received)
    written = [f"Nov 28 22:00:00 host {line[4:]}" for line in received]
    assert checked(tmp_path).intact
    assert "compared with its anchor up to entry 2" in checked(tmp_path, written).sentence
    rewritten(tmp_path, 2)
    assert checked(tmp_path).intact
    assert "line 1: this line was changed after the anchor had recorded it" in checked(tmp_path, written).sentence


def test_an_anchor_that_fails_is_logged_once_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    set_anchor(tmp_path, tmp_path / "missing/anchor")
    log_with(tmp_path, 3)
    assert len([one for one in caplog.records if "the audit log can't be anchored" in one.message]) == 1
    assert "can't be read" in checked(tmp_path).sentence


# ------------------------------------------------------------------ changes by the owner


def test_a_change_by_the_owner_has_an_intent_and_an_outcome_with_the_os_user(tmp_path: Path) -> None:
    audited(tmp_path, "install", "fil.tar.gz", lambda: "unpacked release 2")

    def fail() -> str:
        raise Refused("It is damaged.")

    with pytest.raises(Refused, match="damaged"):
        audited(tmp_path, "install", "fil.tar.gz", fail)
    assert {(line["who"], line["role"]) for line in lines(tmp_path)} == {(os_user(), "local")}
    assert [(line["phase"], line.get("outcome")) for line in lines(tmp_path)] == [
        ("intent", None),
        ("outcome", "unpacked release 2"),
        ("intent", None),
        ("outcome", "refused: It is damaged."),
    ]

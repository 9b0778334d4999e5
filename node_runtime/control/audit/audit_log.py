"""The node's audit log: an append-only chain of JSON lines about changes of the node, and attempts at them.

A change that a client requests has two lines. The first line, the intent, says who requests what, and is on the disk
before the change starts. The second line is the outcome. If the intent can't be written, the change is refused, unless
it is a rollback to the permanent release, an abort, or the removal of a release, which makes room on a full disk.

Each line has a number and the hash of the previous line. A verification therefore finds lines that were changed,
inserted or removed. The node and the commands of its owner append to the same chain.
"""

from __future__ import annotations

import errno
import itertools
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import structs

from node_runtime.processes.redaction.struct_redaction import redact_struct
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import AuditEntry
from node_runtime.protocol.private_files import sync_directory

from .anchor import Anchor, find_anchor
from .audit_files import MAX_EARLIER_FILES, MAX_FILE_BYTES, AuditFiles, Head, chain_link, line_hash, lines_backwards
from .entries import bounded, node_entry
from .heads import head_line, heads_in

MAX_LISTED_ENTRIES: Final = 1000
"""The number of entries that one request returns at most."""
DROP: Final = "audit_drop"
"""The method of an entry that says which of the oldest entries were deleted."""


class AuditLog:
    """The audit log of the node in `directory`.

    In this process, only one thread may write to the log; other processes may write to it, too.
    """

    def __init__(self, directory: Path, anchor: Anchor) -> None:
        self._directory = directory.resolve()
        self._anchor = anchor
        var = directory / "var"
        var.mkdir(parents=True, exist_ok=True)
        self._files = AuditFiles(var)
        self._head: Head | None = None
        self._state: tuple[int, int] | None = None
        """Inode and size of the newest file after the last write of this process."""
        self.worker: int | None = None
        """The number of the worker that writes; None for worker 1. All workers of a node write to the same log."""

    def write(self, entry: AuditEntry) -> None:
        """Append `entry` and sync the file. Raises Refused when that fails."""
        if self.worker is not None:
            entry = structs.replace(entry, subject=f"worker {self.worker}: {entry.subject}")
        try:
            with self._files.locked():
                self._append(self._caught_up(), entry)
                if self._state is not None and self._state[1] > MAX_FILE_BYTES:
                    self._begin_next_file()
        except OSError as error:
            raise Refused(f"The audit log {self._files.current} can't be written ({error}); free disk space.") from None

    def newest(self, limit: int) -> tuple[AuditEntry, ...]:
        """Return at most `limit` entries, the newest one last. Malformed lines are skipped."""
        found: list[AuditEntry] = []
        limit = min(limit, MAX_LISTED_ENTRIES)
        for line in self._files.newest_lines() if limit > 0 else ():
            with suppress(msgspec.DecodeError, UnicodeDecodeError):
                found.append(msgspec.json.decode(line, type=AuditEntry))
            if len(found) >= limit:
                break
        return tuple(reversed(found))

    # ------------------------------------------------------------------ inside, with the lock

    def _caught_up(self) -> Head:
        """Append an entry if lines are missing, changed or incomplete; return the head of the chain."""
        if self._head is not None and self._state == self._current_state():
            return self._head
        removed = self._remove_incomplete_line()
        found, expected = self._files.head(), self._expected_head()
        if expected.seq > found.seq:
            missing = f"entries {found.seq + 1} to {expected.seq}"
            found = self._append(Head(expected.seq, found.sha256), node_entry("audit_gap", missing, "found missing"))
        elif expected.seq == found.seq and expected.sha256 not in ("", found.sha256):
            found = self._append(found, node_entry("audit_gap", f"entry {found.seq} or later", "found changed"))
        if removed:
            found = self._append(found, node_entry("audit_repair", f"{removed} bytes", "removed an incomplete line"))
        return found

    def _expected_head(self) -> Head:
        """Return the newer of two heads: the head that this process wrote last, and the head in the head file."""
        known = self._head or Head()
        with suppress(OSError):
            for stored in heads_in(self._files.head_file.read_text(errors="replace").splitlines(), self._directory):
                known = max(known, stored, key=lambda head: head.seq)
        return known

    def _current_state(self) -> tuple[int, int] | None:
        try:
            found = self._files.current.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_size

    def _remove_incomplete_line(self) -> int:
        """Remove an incomplete last line, which a crash has left; return the number of bytes removed."""
        try:
            descriptor = os.open(self._files.current, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return 0
        try:
            size = os.fstat(descriptor).st_size
            if not size or os.pread(descriptor, 1, size - 1) == b"\n":
                return 0
            line = next(lines_backwards(descriptor))
            if chain_link(line) is not None:  # only the newline is missing
                os.pwrite(descriptor, b"\n", size)
                return 0
            os.ftruncate(descriptor, size - len(line))
            return len(line)
        finally:
            os.close(descriptor)

    def _append(self, head: Head, entry: AuditEntry) -> Head:
        """Append `entry` after `head`; return the new head. If this raises OSError, nothing was appended."""
        entry = structs.replace(bounded(redact_struct(entry)), seq=head.seq + 1, prev=head.sha256)
        line = msgspec.json.encode(entry)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._files.current, flags, 0o600)
        try:
            before = os.fstat(descriptor)
            try:
                if os.write(descriptor, line + b"\n") != len(line) + 1:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(descriptor)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(descriptor, before.st_size)  # otherwise the next line would be appended to this part
                raise
        finally:
            os.close(descriptor)
        if not before.st_size:
            sync_directory(self._files.current.parent)
        self._state = before.st_ino, before.st_size + len(line) + 1
        self._head = Head(entry.seq, line_hash(line))
        self._report(self._head)
        return self._head

    def _report(self, head: Head) -> None:
        line = head_line(head, self._directory)
        temporary = self._files.head_file.with_suffix(".new")
        with suppress(OSError):  # the disk may be full; the next entry writes the file again
            temporary.write_text(f"{line}\n")
            temporary.replace(self._files.head_file)
        self._anchor.send(line)

    def _begin_next_file(self) -> None:
        with self._files.current.open("rb") as file:
            first = chain_link(file.readline().rstrip(b"\n"))
        self._files.move_full(first.seq if first is not None else 0)
        self._state = None
        earlier = self._files.earlier()
        for oldest, next_one in itertools.islice(itertools.pairwise(earlier), max(0, len(earlier) - MAX_EARLIER_FILES)):
            subject = f"entries before {int(next_one.stem)}"
            self._append(self._caught_up(), node_entry(DROP, subject, f"deleted (limit {MAX_EARLIER_FILES} files)"))
            oldest.unlink()


def open_audit_log(directory: Path) -> AuditLog:
    """Return the audit log of the node in `directory`. The node's configuration names the anchor. Raises Refused."""
    return AuditLog(directory, find_anchor(directory))

"""The node's audit log: an append-only file with two JSON lines for each change that a client requests.

The first line, the intent, says who requests what; it is on the disk before the change starts. The second line is the
outcome. If the intent can't be written, the change is refused; only a rollback to the permanent release runs
nevertheless.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from node_runtime.processes.redaction.struct_redaction import redact_struct
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import AuditEntry

MAX_TAIL_BYTES = 1 << 20
"""Bytes at the end of the file that are searched for the newest entries."""


class AuditLog:
    """The audit log in the file `path`. Only one thread may write to it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        size = os.fstat(self._file).st_size
        self._last_line_cut = bool(size) and os.pread(self._file, 1, size - 1) != b"\n"
        """Whether a crash has truncated the last line."""

    def write(self, entry: AuditEntry) -> None:
        """Append `entry`, redacted, and sync the file. Raises Refused when that fails."""
        line = b"\n" * self._last_line_cut + msgspec.json.encode(redact_struct(entry)) + b"\n"
        size = os.fstat(self._file).st_size
        try:
            if os.write(self._file, line) != len(line):
                raise OSError("the disk is full")
            os.fsync(self._file)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, size)  # otherwise the next line would continue this partial one
            raise Refused(f"The audit log {self._path} can't be written ({error}); free disk space.") from None
        self._last_line_cut = False

    def newest(self, limit: int) -> tuple[AuditEntry, ...]:
        """Return at most `limit` entries, the newest one last. Malformed lines are skipped."""
        size = os.fstat(self._file).st_size
        start = max(0, size - MAX_TAIL_BYTES)
        lines = os.pread(self._file, MAX_TAIL_BYTES, start).splitlines()
        entries = [_entry(line) for line in (lines[1:] if start else lines)]
        found = [entry for entry in entries if entry is not None]
        return tuple(found[-limit:]) if limit > 0 else ()

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _entry(line: bytes) -> AuditEntry | None:
    try:
        return msgspec.json.decode(line, type=AuditEntry)
    except msgspec.DecodeError:
        return None

"""The node's audit: one JSON line for each intent and each outcome, only ever appended to.

The intent is on the disk before the act begins. A disk that can't take it stops the act, not the audit; only the way
back to the permanent release is taken all the same.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import AuditEntry

TAIL = 1 << 20
"""Bytes from the end of the file in which the newest entries are looked for."""


class Audit:
    """The audit in `path`. Written by one thread."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        size = os.fstat(self._file).st_size
        self._cut = bool(size) and os.pread(self._file, 1, size - 1) != b"\n"
        """A crash cut the last line."""

    def write(self, entry: AuditEntry) -> None:
        """Append `entry` and see it on the disk. Raises Refused when that fails."""
        line = b"\n" * self._cut + msgspec.json.encode(entry) + b"\n"
        size = os.fstat(self._file).st_size
        try:
            if os.write(self._file, line) != len(line):
                raise OSError("the disk is full")
            os.fsync(self._file)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, size)  # or the next line would be added to a part of this one
            raise Refused(f"The audit {self._path} can't be written ({error}), so nothing was done.") from None
        self._cut = False

    def newest(self, limit: int) -> tuple[AuditEntry, ...]:
        """At most `limit` entries, newest last; lines that make no sense are left out."""
        size = os.fstat(self._file).st_size
        start = max(0, size - TAIL)
        lines = os.pread(self._file, TAIL, start).splitlines()
        entries = [_entry(line) for line in (lines[1:] if start else lines)]
        found = [entry for entry in entries if entry is not None]
        return tuple(found[-limit:]) if limit > 0 else ()

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def _entry(line: bytes) -> AuditEntry | None:
    try:
        return msgspec.json.decode(line, type=AuditEntry)
    except msgspec.DecodeError:
        return None

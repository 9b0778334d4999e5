"""The files of the audit log. Readers get the lines of all files as one sequence, oldest first or newest first.

var/audit.jsonl               the newest entries
var/audit/<first seq>.jsonl   earlier entries: a full file is moved here
var/audit.head                number and hash of the newest entry, which show whether entries were deleted
var/audit.lock                the lock for appending
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

MAX_FILE_BYTES: Final = 4 << 20
"""The newest file is moved to the earlier files when it has more than this many bytes."""
MAX_EARLIER_FILES: Final = 64
"""The maximum number of earlier files. Beyond it, the oldest file is deleted, and an entry of the log says so."""
LOCK_SECONDS: Final = 2.0
"""Seconds to wait for another process that appends an entry."""
_BLOCK_BYTES: Final = 64 * 1024


class ChainLink(msgspec.Struct, frozen=True):
    """The fields that link a line to the chain: its number and the hash of the previous line. Other fields may follow.

    A line that an older version of the node wrote has the number 0.
    """

    seq: int = 0
    prev: str = ""
    method: str = ""
    subject: str = ""


class Head(msgspec.Struct, frozen=True):
    """The end of a chain: the number of its newest entry, and the hash (hex) of the last line."""

    seq: int = 0
    sha256: str = ""


def line_hash(line: bytes) -> str:
    """Return the hash of a line, without its newline."""
    return hashlib.sha256(line).hexdigest()


def chain_link(line: bytes) -> ChainLink | None:
    """Return the fields that link a line to the chain, or None if the line isn't an entry."""
    try:
        return msgspec.json.decode(line, type=ChainLink)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


class AuditFiles:
    """The files in the folder `var` of a node's directory."""

    def __init__(self, var: Path) -> None:
        self.current = var / "audit.jsonl"
        self.head_file = var / "audit.head"
        self._earlier = var / "audit"
        self._lock = var / "audit.lock"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let no other process append during the body of `with`. Raises OSError."""
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            deadline = time.monotonic() + LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.01)
            yield
        finally:
            fcntl.flock(
                descriptor, fcntl.LOCK_UN
            )  # closing is not enough: a child forked meanwhile keeps the file open
            os.close(descriptor)

    def earlier(self) -> list[Path]:
        """Return the files with earlier entries, oldest first."""
        return sorted(self._earlier.glob("[0-9]" * 12 + ".jsonl"))

    def lines(self) -> Iterator[tuple[Path, int, bytes]]:
        """Yield (path, line number, line) for each line, oldest first. Line numbers start at 1.

        Omits an incomplete last line of the newest file, which a crash has left, and entries that are appended
        after the first line was requested.
        """
        with self.locked():
            paths = [*self.earlier(), *[path for path in (self.current,) if path.exists()]]
            files = [path.open("rb") for path in paths]
            sizes = [os.fstat(file.fileno()).st_size for file in files]
        try:
            for path, file, size in zip(paths, files, sizes, strict=True):
                for number, line in enumerate(file, 1):
                    if file.tell() > size or (path == self.current and not line.endswith(b"\n")):
                        break
                    yield path, number, line.rstrip(b"\n")
        finally:
            for file in files:
                file.close()

    def newest_lines(self) -> Iterator[bytes]:
        """Yield the lines, newest first. The first line yielded may be incomplete."""
        for path in (self.current, *reversed(self.earlier())):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                yield from lines_backwards(descriptor)
            finally:
                os.close(descriptor)

    def head(self) -> Head:
        """Return the head: the hash of the last line, and the number of the last line that belongs to the chain."""
        last = ""
        for line in self.newest_lines():
            last = last or line_hash(line)
            link = chain_link(line)
            if link is not None and link.seq:
                return Head(link.seq, last)
        return Head(0, last)

    def move_full(self, first_seq: int) -> None:
        """Move the newest file, which is full, to the files with earlier entries. Raises OSError."""
        self._earlier.mkdir(mode=0o700, exist_ok=True)
        self.current.replace(self._earlier / f"{first_seq:012}.jsonl")


def lines_backwards(descriptor: int) -> Iterator[bytes]:
    """Yield the non-empty lines of a file, last line first. Reads only as far back as the caller iterates."""
    position = os.fstat(descriptor).st_size
    rest: list[bytes] = []  # pieces, last first, of a line whose beginning has not been read yet
    while position:
        size = min(_BLOCK_BYTES, position)
        position -= size
        begin, *lines = os.pread(descriptor, size, position).split(b"\n")
        if lines:
            rest.append(lines[-1])
            for line in (b"".join(reversed(rest)), *reversed(lines[:-1])):
                if line:
                    yield line
            rest = [begin]
        else:
            rest.append(begin)
    if line := b"".join(reversed(rest)):
        yield line

"""Lock files. Only the owner of a lock file can open and lock it.

A forked child inherits the `flock` locks of its parent, so a `flock` lock can outlive its holder. A `fcntl` lock is not
inherited, but a process loses it when it closes any descriptor of the file. So a holder takes both locks, and writes
its process id into the file. One of the locks, together with the content of the file, is enough to see whether the
holder is alive. So it does no harm if a fork keeps the `flock` lock, or if the `fcntl` lock is lost.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from .process_stat import is_alive, start_ticks

HOLDER_BYTES: Final = 64
"""The size of a lock file. The size is fixed, so that the text can be changed even when the disk is full."""
NOBODY: Final = "0 0"
"""The text of a lock file after its holder has released it."""


@contextmanager
def hold_lock(path: Path, end_forks: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold the lock at `path` inside the block. Raises BlockingIOError if another process holds the lock.

    The file is created if necessary, with mode 0600. It is not deleted afterwards, because another process that waits
    for the lock may have opened the file. The system releases the lock when the process ends in any way. If the holder
    has ended but its forked children keep the file locked, `end_forks()` is called. Then the lock is taken, even if
    some of these children remain.
    """
    descriptor, pid = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), os.getpid()
    try:
        _take(descriptor, end_forks)
        try:
            os.fchmod(descriptor, 0o600)
            yield
        finally:
            if os.getpid() == pid:  # false in a fork of the holder
                _write_holder(descriptor, NOBODY)
    finally:
        os.close(descriptor)


def _take(descriptor: int, end_forks: Callable[[], object]) -> None:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except PermissionError:  # the other error that POSIX allows here
        raise _held() from None
    holder = _holder(descriptor)
    if holder is not None and is_alive(*holder):
        raise _held()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if holder is None:  # the holder is a process of an older release, which writes no process id
            raise
        end_forks()
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if (began := start_ticks(os.getpid())) is not None:
        _write_holder(descriptor, f"{os.getpid()} {began}")


def _held() -> BlockingIOError:
    return BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def _holder(descriptor: int) -> tuple[int, int] | None:
    """Return the process id and the start time of the holder that the file names; None if the file names no holder."""
    words = os.pread(descriptor, HOLDER_BYTES, 0).split()
    if len(words) != 2 or not all(word.isdigit() for word in words):
        return None
    return int(words[0]), int(words[1])


def _write_holder(descriptor: int, holder: str) -> None:
    with suppress(OSError):  # on a full disk, the file of a new lock stays empty
        os.pwrite(descriptor, f"{holder}\n".rjust(HOLDER_BYTES).encode(), 0)

"""Lock files that only their owner can open, and therefore lock."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold the lock at `path` inside the block. Raises BlockingIOError if another process holds it.

    The file is created if necessary, with mode 0600. It is not deleted afterwards, because another process that wants
    the lock may have opened it. The system releases the lock when the process ends, in whatever way.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.fchmod(descriptor, 0o600)
        yield
    finally:
        os.close(descriptor)

"""Who may change a node's directory: one at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node_runtime.protocol.exit_codes import Refused


@contextmanager
def hold_directory(directory: Path, remedy: str) -> Iterator[None]:
    """Keep others out: two nodes in one directory would undo each other's releases. Raises `Refused`."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"Another process runs the node in {directory}; {remedy}.") from None
        yield
    finally:
        os.close(descriptor)

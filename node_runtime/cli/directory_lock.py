"""The lock on a node's directory: one process at a time may change it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node_runtime.protocol.exit_codes import Refused


@contextmanager
def hold_directory(directory: Path, remedy: str) -> Iterator[None]:
    """Lock the directory. Raises `Refused` if it is locked: two nodes in it would overwrite each other's releases."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"Another process runs the node in {directory}; {remedy}.") from None
        yield
    finally:
        os.close(descriptor)

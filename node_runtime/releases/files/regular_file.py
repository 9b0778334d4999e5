"""Reads only regular files, and only up to a limit, so that a pipe, a device or a huge file can't block the caller."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

from node_runtime.protocol.exit_codes import Refused

READ_BLOCK_BYTES = 256 << 10
"""A large file is hashed in blocks of this size, so that it is never in memory as a whole."""

_SHORTAGES: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""The system's errors for a lack of descriptors or memory: they say nothing about the file."""


class ShortOfResources(Refused):
    """A file can't be read now, although it may be whole, because the system lacks descriptors or memory."""


def check_shortage(path: Path, error: BaseException) -> None:
    """Raise ShortOfResources if reading `path` has failed with `error` for lack of descriptors or memory."""
    if isinstance(error, OSError) and error.errno in _SHORTAGES:
        raise ShortOfResources(
            f"{path} can't be read now: {os.strerror(error.errno)}; free descriptors or memory, or raise the limit of "
            f"the node's OS process, and try again."
        ) from None


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading. Raises OSError if there is none, or if it is a folder, a pipe or a device."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return os.fdopen(descriptor, "rb", buffering=0)


def read_regular(path: Path, limit: int) -> bytes:
    """Return the content of a file. Raises OSError, also if the file has more than `limit` bytes."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise OSError(errno.EFBIG, f"it has {size:,} bytes (limit {limit:,})", str(path))
        return file.read(size)


def sha256_of(path: Path, size: int) -> str | None:
    """Return the SHA-256 of a file in hexadecimal; None if the file's size is not `size`. Raises OSError."""
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size != size:
            return None
        digest = hashlib.sha256()
        while block := file.read(READ_BLOCK_BYTES):
            digest.update(block)
        return digest.hexdigest()

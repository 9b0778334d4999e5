"""Durable writes to files and directories: a write that has returned survives a power cut."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from node_runtime.protocol.private_files import sync_directory

_TEMPORARY = ".{}.new"
SYNC_THREADS = 16
"""The number of files made durable at the same time. The file system then writes its journal once for several files."""


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the content of `path` in one step; a reader sees either the old or the new content."""
    temporary = path.with_name(_TEMPORARY.format(path.name))
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise
    sync_directory(path.parent)


def clear_interrupted_writes(folder: Path) -> None:
    """Delete the temporary files of interrupted `write_atomically` calls in a folder. No such call may be running."""
    for temporary in folder.glob(_TEMPORARY.format("*")):
        temporary.unlink()


def append_atomically(path: Path, data: bytes) -> int:
    """Append `data` to the file and return the file's new size in bytes.

    If the write fails, the file is truncated to its previous size. A power cut during the write may
    leave a part of `data`, so a reader must expect an incomplete end.
    """
    with path.open("ab", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        try:
            if file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                file.truncate(size)
            raise
    return size + len(data)


def sync_tree(folder: Path) -> None:
    """Make all files and folders below `folder`, and `folder` itself, durable (fsync)."""
    paths = [os.path.join(where, name) for where, _, names in os.walk(folder) for name in (*names, ".")]
    with ThreadPoolExecutor(SYNC_THREADS, "sync") as threads:
        shares = [threads.submit(_sync_each, paths[number::SYNC_THREADS]) for number in range(SYNC_THREADS)]
    for share in shares:
        share.result()


def _sync_each(paths: Iterable[str]) -> None:
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

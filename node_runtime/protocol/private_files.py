"""Private files. Only their owner can read or write them: they have mode 0600, in folders of mode 0700."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from .exit_codes import ExitCode, Refused

MAX_PRIVATE_BYTES = 64 * 1024
"""At most this many bytes of a private file are read. No valid private file is larger."""


def make_private_folder(path: Path) -> Path:
    """Make the folder `path` and its parents durably, unless the folder exists; return `path`."""
    if not path.is_dir():
        make_private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        sync_directory(path.parent)
    return path


def read_private(path: Path) -> str:
    """Return the text of `path`. Raises Refused, as ssh does, for a file that other users may read or write."""
    with path.open(encoding="ascii", errors="replace") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise Refused(
                f"{path} is open to other users (mode {mode:04o}), so they may know its key; "
                f"if you still trust the key, run `chmod 600 {path}`.",
                ExitCode.NOT_ALLOWED,
            )
        return file.read(MAX_PRIVATE_BYTES)


def write_private(path: Path, text: str) -> None:
    """Replace the content of `path` in one step, durably. Raises OSError."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    try:
        write_new_private(temporary, text)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise
    sync_directory(path.parent)


def write_new_private(path: Path, text: str) -> None:
    """Write a file that doesn't exist yet, durably. Raises OSError; FileExistsError also for a symbolic link."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Make new, renamed and deleted names in a directory durable (fsync). Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""The directory of a new node. The first install either completes the directory, or removes what it has made there."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from node_runtime.protocol.private_files import sync_directory
from node_runtime.releases.store import commit_record

from .directory_lock import hold_directory, make_private

_KEPT: Final = "etc"
"""The folder that an operator may put into the directory before the first install."""
_LOCK: Final = "node.lock"
_WRITTEN: Final = frozenset({_KEPT, "bin", "lib", "releases", "var"})
_WRITTEN_IN_VAR: Final = frozenset({"staging", _LOCK})


def is_new(directory: Path) -> bool:
    """Return whether the directory contains only etc/ and the leftovers of an interrupted first install.

    A directory in which a node has run is not new: its var/ contains more files. A directory into which someone copied
    a release by hand is not new either: it has no var/.
    """
    if not directory.exists():
        return True
    found = {path.name for path in directory.iterdir()}
    if found <= {_KEPT}:
        return True
    return (
        "var" in found
        and found <= _WRITTEN
        and {path.name for path in (directory / "var").iterdir()} <= _WRITTEN_IN_VAR
        and not commit_record.record_path(directory).exists()
    )


@contextmanager
def hold_new_directory(directory: Path) -> Iterator[None]:
    """Make the directory, lock it, and delete the leftovers of an interrupted install.

    If the body of `with` fails, everything but etc/ is deleted; a directory that did not exist before is removed.
    Raises Refused if the directory is locked.
    """
    existed = directory.exists()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        make_private(directory)
        sync_directory(directory.parent)
        with hold_directory(directory, "another install may be running"), _emptied_on_failure(directory):
            _delete_all_but(directory, {_KEPT, "var"})
            _delete_all_but(directory / "var", {_LOCK})
            yield
    except BaseException as error:
        if not existed:
            _remove_if_unused(directory, failed=isinstance(error, OSError))
        raise


def _remove_if_unused(directory: Path, *, failed: bool) -> None:
    """Remove the new directory if it is empty; if `failed`, remove its lock file first."""
    with suppress(OSError):  # the directory is not empty: another install has locked it
        if failed:
            (directory / "var" / _LOCK).unlink(missing_ok=True)
        for folder in (directory / "var", directory):
            if folder.exists():
                folder.rmdir()


@contextmanager
def _emptied_on_failure(directory: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        _delete_all_but(directory, {_KEPT})
        raise


def _delete_all_but(folder: Path, kept: Collection[str]) -> None:
    for path in [path for path in folder.iterdir() if path.name not in kept]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()

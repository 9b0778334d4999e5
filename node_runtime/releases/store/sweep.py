"""Removes releases from a node directory, and the leftovers of interrupted operations."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.manifest import read_manifest

from . import commit_record
from .parts import parts_of

STAGE_PREFIX = "unpack-"
"""The prefix of the folders in var/staging to which releases are unpacked."""
_KEPT_IN_RELEASES = frozenset({commit_record.RECORD_NAME})


def remove(directory: Path, vsn: str) -> None:
    """Remove a release from the commit record, then from the directory. Raises `Refused` if it is permanent."""
    record = commit_record.load(directory)
    if record is None:
        raise Refused(f"The directory {directory} has no releases.")
    commit_record.save(directory, record.without(vsn))
    sweep(directory)


def sweep(directory: Path) -> None:
    """Delete the leftovers of interrupted stagings, and the parts that no release in the commit record needs.

    The commit record lists the parts of each release. If an older node has not recorded them, they are read from the
    manifest. If the manifest can't be read, the parts are unknown, and no part is deleted.
    """
    for stage in (directory / "var" / "staging").glob(f"{STAGE_PREFIX}*"):
        _delete(stage)
    record = commit_record.load(directory)
    if record is None:
        return
    needed: set[str] = set()
    for vsn, entry in record.releases.items():
        parts = entry.parts or _parts_in_manifest(directory, vsn)
        if not parts:
            return
        needed.update(parts)
    for folder, kept in (("lib", frozenset[str]()), ("releases", _KEPT_IN_RELEASES)):
        for found in (directory / folder).iterdir() if (directory / folder).is_dir() else ():
            if found.name not in kept and f"{folder}/{found.name}" not in needed:
                _delete(found)


def _parts_in_manifest(directory: Path, vsn: str) -> set[str]:
    with suppress(Refused):
        return parts_of(read_manifest(directory, vsn))
    return set()


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()

"""Removes releases from a node directory, and the leftovers of interrupted operations.

A removal first changes the commit record, and then deletes the files. If the disk is too full for a new record, the
files are deleted first. Then a crash could leave a damaged release, so the removal renames the release's folder before
it deletes any file. Renaming needs no space, and `finish_removals` finds the renamed folder at the next boot.
"""

from __future__ import annotations

import errno
import logging
import shutil
from collections.abc import Set
from functools import cache
from pathlib import Path
from typing import Final

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.private_files import sync_directory
from node_runtime.releases.files.manifest import read_manifest
from node_runtime.releases.files.manifest_checks import RECORD_NAME

from . import commit_record
from .parts import parts_of

logger: Final = logging.getLogger("node_runtime")
STAGE_PREFIX = "unpack-"
"""The prefix of the folders in var/staging to which releases are unpacked."""
_KEPT = frozenset({f"releases/{RECORD_NAME}"})
_REMOVED_PREFIX = ".removed-"
"""The prefix that the folder releases/<vsn> gets if its files are deleted before its entry in the commit record."""
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


def remove(directory: Path, vsn: str, used: Set[str] = frozenset()) -> None:
    """Remove a release from the commit record, then from the directory. Raises `Refused` for the permanent release.

    `used` are the parts, such as lib/click-8.5.1, that the running node still reads. These parts stay until the next
    boot.
    """
    record = commit_record.load(directory)
    if record is None:
        raise Refused(f"The directory {directory} has no releases.")
    changed = record.without(vsn)
    try:
        commit_record.save(directory, changed)
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        _make_room(directory, vsn, changed, used)
        commit_record.save(directory, changed)
    sweep(directory, used)


def finish_removals(directory: Path) -> None:
    """Finish the removals that were interrupted after they had begun to delete files. Called at boot."""
    for found in (directory / "releases").glob(f"{_REMOVED_PREFIX}*"):
        record, vsn = commit_record.load(directory), found.name.removeprefix(_REMOVED_PREFIX)
        if record is not None and vsn in record.releases and vsn != record.permanent:
            commit_record.save(directory, record.without(vsn))


def _make_room(directory: Path, vsn: str, record: commit_record.CommitRecord, used: Set[str]) -> None:
    """Rename and empty the folder of the release `vsn`, then delete all files that no release needs.

    The parts in `used` (such as lib/click-8.5.1) and the renamed folder stay.
    """
    releases = directory / "releases"
    removed = releases / f"{_REMOVED_PREFIX}{vsn}"
    if (releases / vsn).is_dir() and not removed.exists():
        (releases / vsn).replace(removed)
        sync_directory(releases)
    for left in removed.iterdir() if removed.is_dir() else ():
        _delete(left)
    _delete_unneeded(directory, record, used | {f"releases/{removed.name}", f"releases/{vsn}"})


def sweep(directory: Path, used: Set[str] = frozenset()) -> None:
    """Delete the leftovers of interrupted stagings, and the parts that no release in the commit record needs.

    A part is a folder such as lib/click-8.5.1. The parts in `used` stay, because the running node still reads them. The
    commit record lists the parts of each release. If an older node has recorded a release without its parts, the parts
    are read from the manifest. If that manifest can't be read, no part at all is deleted, and the log says so once.
    """
    for stage in (directory / "var" / "staging").glob(f"{STAGE_PREFIX}*"):
        _delete(stage)
    record = commit_record.load(directory)
    if record is not None:
        _delete_unneeded(directory, record, used)


def _delete_unneeded(directory: Path, record: commit_record.CommitRecord, used: Set[str]) -> None:
    """Delete the parts (such as lib/click-8.5.1) that no release in `record` needs, except those in `used`."""
    needed = {*used, *_KEPT}
    for vsn, entry in record.releases.items():
        try:
            needed.update(entry.parts or parts_of(read_manifest(directory, vsn)))
        except Refused as refused:
            _log_once(
                f"The node deletes no files of {directory}, because it is not known which of them release {vsn} needs: "
                f"{refused.sentence} Stage release {vsn} again, or remove it."
            )
            return
    for folder in ("lib", "releases"):
        for found in (directory / folder).iterdir() if (directory / folder).is_dir() else ():
            if f"{folder}/{found.name}" not in needed:
                _delete(found)


@cache
def _log_once(sentence: str) -> None:
    """Log a warning the first time only."""
    logger.warning("%s", sentence)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()

"""Receives a tarball: compares it with the node directory, writes the new files to a stage folder, and reads them.

This module changes no file of the node's releases. A received release has exactly the files in its manifest, and its
TOML files can be read. The relups between it and the other releases have been tried: each can be made, or is refused
with a sentence.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.durable import sync_tree
from node_runtime.releases.files.manifest import (
    Manifest,
    manifest_path,
    read_manifest,
    sha256,
    this_platform,
    this_python,
)
from node_runtime.releases.files.python_floor import OLDEST_PYTHON, is_too_old
from node_runtime.releases.files.regular_file import ShortOfResources
from node_runtime.releases.files.tarball_limits import DISK_RESERVE_BYTES, DISK_RESERVE_FILES

from . import commit_record
from .catalog import Catalog
from .commit_record import CommitRecord
from .decompressed import CorruptTarball
from .parts import files_by_part, new_parts, part_of
from .relup_path import find_relup_path
from .tarball_reader import MANIFEST_MODE, TarballReader, corrupt_refusal
from .unpacked_release import UnpackedRelease, check_whole, read_unpacked
from .verify import is_intact

STAGED_MANIFEST = "manifest.json"
"""The name of the manifest in a stage folder."""
STAGED_FILES = "files"
"""The name of the folder in a stage folder with the new files of a release, at their paths in a node directory."""


class Reception(msgspec.Struct, frozen=True):
    """The parameters of a reception: the tarball's name for messages, the node directory, and the stage folder."""

    name: str
    directory: Path
    stage: Path

    @property
    def files(self) -> Path:
        """The folder for the files that the node directory lacks."""
        return self.stage / STAGED_FILES


def receive(file: BinaryIO, reception: Reception) -> Manifest:
    """Write to the stage those files of the tarball `file` that the node directory lacks. Raises `Refused`."""
    try:
        reader = TarballReader(file)
        record = commit_record.load(reception.directory)
        others = _other_manifests(reception.directory, reader.manifest.vsn, record)
        try:
            wanted = _wanted(reception, reader, record, others)
        except Refused:
            for _ in reader.members():
                pass  # if the tarball is also corrupt, this raises `CorruptTarball` instead of the error above
            raise
        _check_space(reception, reader.manifest, wanted)
        files = str(reception.files)
        for path, pieces in reader.members():
            if path in wanted:
                _write(f"{files}/{path}", pieces, reader.manifest.files[path].mode)
    except CorruptTarball as corrupt:
        raise corrupt_refusal(reception.name, corrupt) from None
    places = [reception.stage / STAGED_MANIFEST]
    if _manifest_or_none(reception.directory, reader.manifest.vsn) != reader.manifest:
        places.append(reception.files / manifest_path(reader.manifest.vsn))
    for place in places:
        _write(str(place), (memoryview(reader.manifest_bytes),), MANIFEST_MODE)
    sync_tree(reception.stage)
    return reader.manifest


def read_received(manifest: Manifest, reception: Reception) -> UnpackedRelease:
    """Read all TOML files of a received release. Raises `Refused` if one can't be read or contradicts the manifest."""

    def locate(path: str) -> Path:
        staged = reception.files / path
        return reception.directory / path if path in manifest.files and not staged.exists() else staged

    try:
        check_whole(manifest, locate)
        return read_unpacked(reception.directory, manifest, locate)
    except Refused as refused:
        place = refused.sentence.replace(f"{reception.files}/", "").replace(f"{reception.directory}/", "")
        raise Refused(f"{reception.name} can't be staged: {place}") from None


def receive_here(tarball: BinaryIO, name: str, directory: Path, stage: Path) -> None:
    """Receive and read a tarball in this OS process. The parameters are those of `run_stage_process`.

    Used in a development node. An OS process with limits would protect the node from a malicious tarball, but it takes
    longer to start than the whole rest of an upgrade. And the node executes its developer's code a moment later anyway.
    """
    reception = Reception(name, directory.absolute(), stage)
    try:
        read_received(receive(tarball, reception), reception)
    except (Refused, OSError):
        raise
    except Exception as error:
        raise Refused(f"{name} can't be staged: reading its files fails with {type(error).__name__}.") from error


def others_of(release: UnpackedRelease, reception: Reception) -> list[str]:
    """Return the releases of the node directory other than `release`."""
    return _recorded_besides(release.vsn, commit_record.load(reception.directory))


def translate_relups(release: UnpackedRelease, other: str, reception: Reception) -> None:
    """Try to translate the relups between a received release and another release of the node directory.

    This only tests that the translation takes little time and memory; the relups are discarded. If there is no relup,
    or if an appup is wrong for the other release, a plan reports that later.
    """
    with suppress(Refused):
        view = Catalog(reception.directory).release(other).view
        for start, end in ((view, release.view), (release.view, view)):
            with suppress(Refused):
                find_relup_path(start, end)


def _recorded_besides(vsn: str, record: CommitRecord | None) -> list[str]:
    return [other for other in record.releases if other != vsn] if record else []


def _other_manifests(directory: Path, vsn: str, record: CommitRecord | None) -> dict[str, Manifest | None]:
    """Return the manifests of the recorded releases other than `vsn`; None for one that can't be read."""
    return {other: _manifest_or_none(directory, other) for other in _recorded_besides(vsn, record)}


def _manifest_or_none(directory: Path, vsn: str) -> Manifest | None:
    try:
        return read_manifest(directory, vsn)
    except ShortOfResources:
        raise
    except Refused:
        return None


def _wanted(
    reception: Reception, reader: TarballReader, record: CommitRecord | None, others: Mapping[str, Manifest | None]
) -> set[str]:
    """Return the files to write: those of new parts, and those that differ from the manifest.

    Raises `Refused` if the release doesn't fit the node, or contradicts a release that the node already has.
    """
    manifest = reader.manifest
    _check_fit(reception, manifest, others)
    if not _is_same(manifest, reader.manifest_bytes, record, reception.directory):
        raise Refused(
            f"{reception.name} differs from release {manifest.vsn}, which is already unpacked; build it under a new "
            "vsn, for example after `node-runtime appup generate --bump --from OLD`. "
            + _way_to_replace(manifest, record)
        )
    _check_shared_parts(manifest, others)
    directory = reception.directory
    new = new_parts(manifest, directory, is_new=record is None)
    wanted = {path for path in manifest.files if part_of(path) in new}
    damaged = {
        path
        for path, entry in manifest.files.items()
        if path not in wanted and not path.startswith("bin/") and not is_intact(directory / path, entry)
    }
    for vsn, other in others.items() if damaged else ():
        if other is None:
            raise Refused(
                f"{part_of(min(damaged))} differs from release {manifest.vsn} and may belong to release {vsn}, whose "
                f"manifest is damaged; stage the tarball of {vsn} again first, or remove {vsn}."
            )
    return wanted | damaged


def _way_to_replace(manifest: Manifest, record: CommitRecord | None) -> str:
    """Return a sentence that says how an unpacked release can be replaced by another one of the same version."""
    if record is not None and record.permanent == manifest.vsn:
        return (
            f"{manifest.vsn} is the permanent release of this node, so it can't be removed. If you need neither the "
            "history nor the cookies of the node, you can also stop it, delete its directory, and install the tarball."
        )
    return (
        f"If release {manifest.vsn} has never run, you can also remove it with `hotdash remove NODE {manifest.vsn}`, "
        "and stage the tarball again. A node that is stopped has to be started first."
    )


def _is_same(manifest: Manifest, data: bytes, record: CommitRecord | None, directory: Path) -> bool:
    """Return whether the release is new to the node, or has the manifest whose hash is recorded for its version."""
    if record is None or manifest.vsn not in record.releases:
        return True
    origin = record.releases[manifest.vsn].origin
    if origin is not None:
        return origin.manifest == sha256(data)
    return _manifest_or_none(directory, manifest.vsn) in (None, manifest)


def _check_fit(reception: Reception, manifest: Manifest, others: Mapping[str, Manifest | None]) -> None:
    """Refuse a release that has another name than the node's, or was built for another Python or platform."""
    name = next((other.name for other in others.values() if other is not None), manifest.name)
    if name != manifest.name:
        raise Refused(
            f"{reception.name} is a release of {manifest.name}, but {reception.directory} is a node of {name}; stage a "
            f"release of {name}."
        )
    if is_too_old(manifest.python):
        oldest = ".".join(map(str, OLDEST_PYTHON))
        raise Refused(
            f"{reception.name} was built for Python {manifest.python}, but a node needs Python {oldest} or newer; "
            f"build the release with Python {this_python()}."
        )
    if manifest.python != this_python() and shutil.which(f"python{manifest.python}") is None:
        raise Refused(
            f"{reception.name} was built for Python {manifest.python}, but the node runs Python {this_python()}, and "
            f"there is no python{manifest.python} on PATH; install it, or build the release with Python "
            f"{this_python()}."
        )
    if manifest.platform != this_platform():
        raise Refused(
            f"{reception.name} was built for {manifest.platform}, but the node runs on {this_platform()}; build the "
            f"release on {this_platform()}."
        )


def _check_shared_parts(manifest: Manifest, others: Mapping[str, Manifest | None]) -> None:
    """Raise Refused if a part of the release, such as lib/click-8.5.1, has different content in another release."""
    own = files_by_part(manifest)
    for vsn, other in others.items():
        for part, files in files_by_part(other).items() if other is not None else ():
            if not part.startswith("bin/") and part in own and own[part] != files:
                raise Refused(
                    f"{part} differs between release {manifest.vsn} and release {vsn}, which is already "
                    f"unpacked; build the changed part under a new vsn."
                )


def _check_space(reception: Reception, manifest: Manifest, wanted: set[str]) -> None:
    """Refuse a release for which the disk has no room, before anything is written."""
    disk = os.statvfs(reception.stage)
    needed = sum(-(-manifest.files[path].size // disk.f_frsize) * disk.f_frsize for path in wanted)
    free = disk.f_bavail * disk.f_frsize
    if needed + DISK_RESERVE_BYTES > free:
        raise Refused(
            f"{reception.name} needs {needed:,} bytes, and {DISK_RESERVE_BYTES:,} must stay free, but the disk of "
            f"{reception.directory} has only {free:,}; free some space."
        )
    if disk.f_files and len(wanted) + DISK_RESERVE_FILES > disk.f_favail:
        raise Refused(
            f"{reception.name} has {len(wanted):,} files, but the disk of {reception.directory} has room for only "
            f"{disk.f_favail:,} more (inodes); delete some files there."
        )


def _write(path: str, pieces: Iterable[memoryview], mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as file:
        file.writelines(pieces)
        os.fchmod(descriptor, mode & 0o700)  # no file of a node is for other users

"""Unpacks a release's tarball into a node directory.

The files are verified, written to a folder in var/staging, and then renamed into their places. An
interruption leaves behind at most that folder and parts that no release in the commit record needs;
`sweep` deletes them. After a failure, a new node directory is removed, and one that was empty is
emptied again.

A part (lib/<x>-<v>, releases/<vsn> or bin/<name>) that several releases share is stored once; a tarball with different
content for a shared part is refused. etc/ is never changed. bin/ is written only in a new node directory, because the
node's parent process runs from it; see `launcher_update`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.durable import sync_directory
from node_runtime.releases.files.manifest import (
    FileEntry,
    Manifest,
    manifest_path,
    read_manifest,
    this_platform,
    this_python,
)
from node_runtime.releases.signing.admission import Admission

from . import commit_record
from .staging_request import PLAIN_REQUEST, StageRequest, admit_to, check_not_older, release_origin
from .tarball_reader import open_tarball
from .verify import is_intact

_STAGING_PREFIX = "unpack-"


def unpack(tarball: Path, directory: Path, request: StageRequest = PLAIN_REQUEST) -> Manifest:
    """Unpack `tarball` into the node directory and record the release as "unpacked". Raises `Refused`.

    The tarball's signature, if there is one, is in the file beside it; the node's release keys decide about it first.
    In a directory without a commit record, the release becomes permanent. If the release is already unpacked, damaged
    files are repaired; in this case, the release is no longer marked as failed. Blocks on the disk; must not be called
    in two threads at once.
    """
    admission = admit_to(directory, tarball)
    sweep(directory)
    with _emptied_on_failure(directory):
        return _unpack(tarball, directory, admission, request)


def _unpack(tarball: Path, directory: Path, admission: Admission, request: StageRequest) -> Manifest:
    staging = directory / "var" / "staging"
    staging.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=_STAGING_PREFIX, dir=staging) as stage, open_tarball(tarball) as archive:
        manifest = archive.manifest
        record = commit_record.load(directory)
        admission.check_manifest(manifest, archive.manifest_bytes)
        origin = release_origin(admission, archive.manifest_bytes, request)
        try:
            if not request.allow_older:
                check_not_older(tarball, manifest.vsn, origin, record)
            _check_fit(tarball, manifest, directory, record)
            if record and manifest.vsn in record.releases:
                _check_same(tarball, manifest, directory, record, origin)
            parts = _new_parts(manifest, directory, record)
            damaged = _damaged(manifest, directory, parts, record)
        except Refused:
            archive.verify()  # a corrupt tarball is reported as corrupt, and not with the error above
            raise
        for path, data in archive.members():
            if path in damaged or _part_of(path) in parts:
                _write(Path(stage) / path, data, manifest.files[path].mode)
        if _manifest_or_none(directory, manifest.vsn) != manifest:
            damaged.add(manifest_path(manifest.vsn))
            _write(Path(stage) / manifest_path(manifest.vsn), archive.manifest_bytes, 0o644)
        _move(Path(stage), directory, parts, damaged)
    if record is None:
        changed = commit_record.first_record(manifest.vsn, origin)
    elif manifest.vsn not in record.releases:
        changed = record.with_unpacked(manifest.vsn, origin)
    else:
        changed = record.with_origin(manifest.vsn, origin)
        if damaged and record.releases[manifest.vsn].failed is not None:
            changed = changed.with_repaired(manifest.vsn)
    if changed != record:
        commit_record.save(directory, changed)
    return manifest


@contextmanager
def _emptied_on_failure(directory: Path) -> Iterator[None]:
    """On failure, empty the directory again if it had at most etc/ before, and remove it if it did not exist."""
    existed = directory.exists()
    before = {path.name for path in directory.iterdir()} if existed else set()
    try:
        yield
    except BaseException:
        if before <= {"etc"} and directory.exists():
            for created in directory.iterdir():
                if created.name not in before:
                    shutil.rmtree(created)
            if not existed:
                directory.rmdir()
        raise


def remove(directory: Path, vsn: str) -> None:
    """Remove a release from the commit record, then from the directory. Raises `Refused` if it is permanent."""
    record = commit_record.load(directory)
    if record is None:
        raise Refused(f"The directory {directory} has no releases.")
    commit_record.save(directory, record.without(vsn))
    sweep(directory)


def sweep(directory: Path) -> None:
    """Delete what interrupted unpackings left behind, and the parts that no release in the commit record needs.

    If the manifest of a release can't be read, the parts that this release needs are unknown, so no part is deleted.
    """
    for stage in (directory / "var" / "staging").glob(f"{_STAGING_PREFIX}*"):
        shutil.rmtree(stage)
    record = commit_record.load(directory)
    if record is None:
        return
    manifests = [_manifest_or_none(directory, vsn) for vsn in record.releases]
    if None in manifests:
        return
    needed = {part for manifest in manifests if manifest is not None for part in _parts(manifest)}
    for found in (*(directory / "lib").iterdir(), *(directory / "releases").iterdir()):
        if found.is_dir() and found.relative_to(directory).as_posix() not in needed:
            shutil.rmtree(found)


def _part_of(path: str) -> str:
    """Return the part of a node directory that `path` is in: lib/<x>-<v>, releases/<vsn> or bin/<name>."""
    return "/".join(path.split("/")[:2])


def _parts(manifest: Manifest) -> set[str]:
    return {_part_of(path) for path in (*manifest.files, manifest_path(manifest.vsn))}


def _files(manifest: Manifest, part: str) -> dict[str, FileEntry]:
    return {path: entry for path, entry in manifest.files.items() if _part_of(path) == part}


def _manifest_or_none(directory: Path, vsn: str) -> Manifest | None:
    """Return the manifest of an unpacked release; None if the manifest can't be read."""
    try:
        return read_manifest(directory, vsn)
    except Refused:
        return None


def _check_fit(tarball: Path, manifest: Manifest, directory: Path, record: commit_record.CommitRecord | None) -> None:
    """Refuse a release whose name, Python or platform is not the node's."""
    here = [
        found for vsn in (record.releases if record else ()) if (found := _manifest_or_none(directory, vsn)) is not None
    ]
    if here and here[0].name != manifest.name:
        raise Refused(f"{tarball.name} is a release of {manifest.name}, but {directory} is a node of {here[0].name}.")
    if manifest.python != this_python():
        raise Refused(
            f"{tarball.name} was built for Python {manifest.python}, but the node runs Python {this_python()}; "
            f"build the release with Python {this_python()}."
        )
    if manifest.platform != this_platform():
        raise Refused(
            f"{tarball.name} was built for {manifest.platform}, but the node runs on {this_platform()}; build the "
            f"release on {this_platform()}."
        )


def _check_same(
    tarball: Path,
    manifest: Manifest,
    directory: Path,
    record: commit_record.CommitRecord,
    origin: commit_record.ReleaseOrigin,
) -> None:
    """Refuse other content under a known vsn. The record decides, because the manifest on disk may be damaged."""
    recorded = record.releases[manifest.vsn].origin
    here = _manifest_or_none(directory, manifest.vsn)
    same = here is None or here == manifest if recorded is None else recorded.manifest == origin.manifest
    if not same:
        raise Refused(
            f"{tarball.name} has other content than release {manifest.vsn}, which is already unpacked; build it "
            f"under a new vsn."
        )


def _new_parts(manifest: Manifest, directory: Path, record: commit_record.CommitRecord | None) -> set[str]:
    """Return the parts that are not in the directory yet.

    Raises `Refused` if another release has a part of the same name with different content.
    """
    others = [_manifest_or_none(directory, vsn) for vsn in (record.releases if record else ()) if vsn != manifest.vsn]
    parts = _parts(manifest)
    for part in sorted(part for part in parts if not part.startswith("bin/")):
        for other in others:
            if other is not None and (there := _files(other, part)) and there != _files(manifest, part):
                raise Refused(
                    f"{part} differs between release {manifest.vsn} and release {other.vsn}, which is already "
                    f"unpacked; build the changed part under a new vsn."
                )
    new = {part for part in parts if not (directory / part).exists()}
    return new if record is None else {part for part in new if not part.startswith("bin/")}


def _damaged(manifest: Manifest, directory: Path, new: set[str], record: commit_record.CommitRecord | None) -> set[str]:
    """Return the files in existing parts that differ from the manifest.

    Raises `Refused` if there are such files and the manifest of another release can't be read: the
    files may belong to that release, too.
    """
    damaged = {
        path
        for path, entry in manifest.files.items()
        if not path.startswith("bin/") and _part_of(path) not in new and not is_intact(directory / path, entry)
    }
    for vsn in (record.releases if record else ()) if damaged else ():
        if vsn != manifest.vsn and _manifest_or_none(directory, vsn) is None:
            raise Refused(
                f"{_part_of(min(damaged))} differs from release {manifest.vsn} and may belong to release {vsn}, whose "
                f"manifest is damaged; stage the tarball of {vsn} again first, or remove {vsn}."
            )
    return damaged


def _write(path: Path, data: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _move(stage: Path, directory: Path, parts: set[str], files: set[str]) -> None:
    """Rename the staged parts, and single files of existing parts, to their places.

    All contents are on the disk before the first rename.
    """
    for folder in sorted((path for path in stage.rglob("*") if path.is_dir()), reverse=True):
        sync_directory(folder)
    moved = [*sorted(parts), *sorted(path for path in files if _part_of(path) not in parts)]
    for path in moved:
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (stage / path).replace(directory / path)
    for parent in {directory, *((directory / path).parent for path in moved)}:
        sync_directory(parent)

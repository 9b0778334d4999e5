"""Bring a release from its tarball into a node directory: staged, verified, then renamed into place.

Whatever fails leaves nothing behind but rubbish in var/staging, which `sweep` removes; a directory that was absent or
empty is so again. A part that several releases
share stands once in lib/; a tarball that has another content for it is refused. etc/ is never touched, and bin/ only
where there is none: the script of the first release goes on being the node's parent.
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

from . import commit_record
from .tarball_reader import open_archive
from .verify import is_intact

_STAGE = "unpack-"


def unpack(tarball: Path, directory: Path) -> Manifest:
    """Unpack `tarball` into the node in `directory` and record it as `unpacked`. Raises `Refused`.

    A directory without a record gets one: its first release is permanent. Unpacking the same tarball again puts right
    what has been damaged, and then what failed here was another release; it changes nothing else. One at a time,
    please; it blocks for as long as the disk takes.
    """
    sweep(directory)
    with _new_again_if_it_fails(directory):
        return _unpack(tarball, directory)


def _unpack(tarball: Path, directory: Path) -> Manifest:
    staging = directory / "var" / "staging"
    staging.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=_STAGE, dir=staging) as stage, open_archive(tarball) as archive:
        manifest = archive.manifest
        known = commit_record.load(directory)
        try:
            _check_fit(tarball, manifest, directory, known)
            if known and manifest.vsn in known.releases:
                _check_same(tarball, manifest, directory)
            places = _new_places(manifest, directory, known)
            damaged = _damaged(manifest, directory, places, known)
        except Refused:
            archive.verify()  # what a corrupt manifest says is not the reason
            raise
        for path, data in archive.members():
            if path in damaged or place_of(path) in places:
                _write(Path(stage) / path, data, manifest.files[path].mode)
        if _readable(directory, manifest.vsn) != manifest:
            damaged.add(manifest_path(manifest.vsn))
            _write(Path(stage) / manifest_path(manifest.vsn), archive.manifest_bytes, 0o644)
        _move(Path(stage), directory, places, damaged)
    if not (known and manifest.vsn in known.releases):
        commit_record.save(
            directory, known.with_unpacked(manifest.vsn) if known else commit_record.first_record(manifest.vsn)
        )
    elif damaged and known.releases[manifest.vsn].failed is not None:
        commit_record.save(directory, known.with_repaired(manifest.vsn))
    return manifest


@contextmanager
def _new_again_if_it_fails(directory: Path) -> Iterator[None]:
    """Empty a directory that was absent or empty before, so that the next try finds it as this one did."""
    existed = directory.exists()
    new = not existed or not any(directory.iterdir())
    try:
        yield
    except BaseException:
        if new and directory.exists():
            for made in directory.iterdir():
                shutil.rmtree(made)
            if not existed:
                directory.rmdir()
        raise


def remove(directory: Path, vsn: str) -> None:
    """Take the release `vsn` out of the record, then out of the directory. Raises `Refused` for the permanent one."""
    known = commit_record.load(directory)
    if known is None:
        raise Refused(f"{directory} holds no releases.")
    commit_record.save(directory, known.without(vsn))
    sweep(directory)


def sweep(directory: Path) -> None:
    """Remove what no release of the record needs: unpackings that were cut off, and parts of removed releases.

    While a release's manifest can't be read nobody knows what it needs, and no part goes.
    """
    for stage in (directory / "var" / "staging").glob(f"{_STAGE}*"):
        shutil.rmtree(stage)
    known = commit_record.load(directory)
    if known is None:
        return
    manifests = [_readable(directory, vsn) for vsn in known.releases]
    if None in manifests:
        return
    needed = {place for manifest in manifests if manifest is not None for place in _places(manifest)}
    for found in (*(directory / "lib").iterdir(), *(directory / "releases").iterdir()):
        if found.is_dir() and found.relative_to(directory).as_posix() not in needed:
            shutil.rmtree(found)


def place_of(path: str) -> str:
    """The part of a node directory that comes and goes as one: lib/<x>-<v>, releases/<vsn>, bin/<name>."""
    return "/".join(path.split("/")[:2])


def _places(manifest: Manifest) -> set[str]:
    return {place_of(path) for path in (*manifest.files, manifest_path(manifest.vsn))}


def _files(manifest: Manifest, place: str) -> dict[str, FileEntry]:
    return {path: entry for path, entry in manifest.files.items() if place_of(path) == place}


def _readable(directory: Path, vsn: str) -> Manifest | None:
    """The manifest of a release that is here, unless it is damaged."""
    try:
        return read_manifest(directory, vsn)
    except Refused:
        return None


def _check_fit(tarball: Path, manifest: Manifest, directory: Path, known: commit_record.Record | None) -> None:
    """Refused for a release of something else, or for another Python or machine than this one."""
    here = [found for vsn in (known.releases if known else ()) if (found := _readable(directory, vsn)) is not None]
    if here and here[0].name != manifest.name:
        raise Refused(f"{tarball.name} is a release of {manifest.name}, and this is a node of {here[0].name}.")
    if manifest.python != this_python():
        raise Refused(f"{tarball.name} was built for Python {manifest.python}, and this is Python {this_python()}.")
    if manifest.platform != this_platform():
        raise Refused(f"{tarball.name} was built for {manifest.platform}, and this is {this_platform()}.")


def _check_same(tarball: Path, manifest: Manifest, directory: Path) -> None:
    here = _readable(directory, manifest.vsn)
    if here is not None and here != manifest:
        raise Refused(
            f"{tarball.name} has another content than the release {manifest.vsn} that is here; "
            f"a changed build needs a new vsn."
        )


def _new_places(manifest: Manifest, directory: Path, known: commit_record.Record | None) -> set[str]:
    """The places that aren't in the directory yet; Refused for one that another release has with other content."""
    others = [_readable(directory, vsn) for vsn in (known.releases if known else ()) if vsn != manifest.vsn]
    places = _places(manifest)
    for place in sorted(place for place in places if not place.startswith("bin/")):
        for other in others:
            if other is not None and (there := _files(other, place)) and there != _files(manifest, place):
                raise Refused(
                    f"{place} is here with another content than in release {manifest.vsn}, for release {other.vsn}; "
                    f"a changed part needs a new vsn."
                )
    return {place for place in places if not (directory / place).exists()}


def _damaged(manifest: Manifest, directory: Path, new: set[str], known: commit_record.Record | None) -> set[str]:
    """The files, in places that are here already, which aren't what they should be.

    Refused if there are any and nobody knows whose they are, since another release's manifest is damaged.
    """
    damaged = {
        path
        for path, entry in manifest.files.items()
        if not path.startswith("bin/") and place_of(path) not in new and not is_intact(directory / path, entry)
    }
    for vsn in (known.releases if known else ()) if damaged else ():
        if vsn != manifest.vsn and _readable(directory, vsn) is None:
            raise Refused(
                f"{place_of(min(damaged))} is here with another content than in release {manifest.vsn}, perhaps for "
                f"release {vsn}, whose manifest is damaged; stage the tarball of {vsn} again first, or remove {vsn}."
            )
    return damaged


def _write(path: Path, data: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _move(stage: Path, directory: Path, places: set[str], files: set[str]) -> None:
    """Rename what is staged into place, durably: contents before names; whole places, and files in places that are."""
    for folder in sorted((path for path in stage.rglob("*") if path.is_dir()), reverse=True):
        sync_directory(folder)
    moved = [*sorted(places), *sorted(path for path in files if place_of(path) not in places)]
    for path in moved:
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (stage / path).replace(directory / path)
    for parent in {directory, *((directory / path).parent for path in moved)}:
        sync_directory(parent)

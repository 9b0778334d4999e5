"""Bring a release from its tarball into a node directory: staged, verified, then renamed into place.

Whatever fails leaves nothing behind but rubbish in var/staging, which `sweep` removes; a directory that was absent or
empty is so again. A part that several releases
share stands once in lib/; a tarball that has another content for it is refused. etc/ is never touched, and bin/ only
where there is none: the script of the permanent release goes on being the node's parent.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node_runtime.protocol.exits import Refused

from . import record
from .archive import open_archive
from .durable import sync_directory
from .manifest import Manifest, manifest_path, read_manifest, sha256, this_platform, this_python

_STAGE = "unpack-"


def unpack(tarball: Path, directory: Path) -> Manifest:
    """Unpack `tarball` into the node in `directory` and record it as `unpacked`. Raises `Refused`.

    A directory without a record gets one: its first release is permanent. Unpacking the same tarball again changes
    nothing. One at a time, please; it blocks for as long as the disk takes.
    """
    sweep(directory)
    with _new_again_if_it_fails(directory):
        return _unpack(tarball, directory)


def _unpack(tarball: Path, directory: Path) -> Manifest:
    staging = directory / "var" / "staging"
    staging.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=_STAGE, dir=staging) as stage, open_archive(tarball) as archive:
        manifest = archive.manifest
        known = record.load(directory)
        try:
            _check_fit(tarball, manifest, directory, known)
            if known and manifest.vsn in known.releases:
                _check_same(tarball, archive.manifest_bytes, directory, manifest.vsn)
                return manifest
            places = _new_places(manifest, directory)
        except Refused:
            archive.verify()  # what a corrupt manifest says is not the reason
            raise
        for path, data in archive.members():
            if place_of(path) in places:
                _write(Path(stage) / path, data, manifest.files[path].mode)
        _write(Path(stage) / manifest_path(manifest.vsn), archive.manifest_bytes, 0o644)
        _move(Path(stage), directory, places)
    record.save(directory, known.with_unpacked(manifest.vsn) if known else record.first_record(manifest.vsn))
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
    known = record.load(directory)
    if known is None:
        raise Refused(f"{directory} holds no releases.")
    record.save(directory, known.without(vsn))
    sweep(directory)


def sweep(directory: Path) -> None:
    """Remove what no release of the record needs: unpackings that were cut off, and parts of removed releases."""
    for stage in (directory / "var" / "staging").glob(f"{_STAGE}*"):
        shutil.rmtree(stage)
    known = record.load(directory)
    if known is None:
        return
    needed = {f"releases/{record.record_path(directory).name}"}
    for vsn in known.releases:
        needed |= _places(read_manifest(directory, vsn))
    for found in (*(directory / "lib").iterdir(), *(directory / "releases").iterdir()):
        if found.is_dir() and found.relative_to(directory).as_posix() not in needed:
            shutil.rmtree(found)


def place_of(path: str) -> str:
    """The part of a node directory that comes and goes as one: lib/<x>-<v>, releases/<vsn>, bin/<name>."""
    return "/".join(path.split("/")[:2])


def _places(manifest: Manifest) -> set[str]:
    return {place_of(path) for path in (*manifest.files, manifest_path(manifest.vsn))}


def _check_fit(tarball: Path, manifest: Manifest, directory: Path, known: record.Record | None) -> None:
    """Refused for a release of something else, or for another Python or machine than this one."""
    if known and (name := read_manifest(directory, known.permanent).name) != manifest.name:
        raise Refused(f"{tarball.name} is a release of {manifest.name}, and this is a node of {name}.")
    if manifest.python != this_python():
        raise Refused(f"{tarball.name} was built for Python {manifest.python}, and this is Python {this_python()}.")
    if manifest.platform != this_platform():
        raise Refused(f"{tarball.name} was built for {manifest.platform}, and this is {this_platform()}.")


def _check_same(tarball: Path, manifest: bytes, directory: Path, vsn: str) -> None:
    if (directory / manifest_path(vsn)).read_bytes() != manifest:
        raise Refused(
            f"{tarball.name} has another content than the release {vsn} that is here; a changed build needs a new vsn."
        )


def _new_places(manifest: Manifest, directory: Path) -> set[str]:
    """The places that aren't in the directory yet; Refused for one that is there with other content."""
    new = set()
    for place in sorted(_places(manifest)):
        if not (directory / place).exists():
            new.add(place)
        elif not place.startswith("bin/") and not _is_equal(manifest, directory, place):
            raise Refused(
                f"{place} is here with another content than in release {manifest.vsn}; a changed part needs a new vsn."
            )
    return new


def _is_equal(manifest: Manifest, directory: Path, place: str) -> bool:
    """Whether the place on disk has exactly the manifest's files; bytecode of curious people doesn't count."""
    expected = {path: entry.sha256 for path, entry in manifest.files.items() if place_of(path) == place}
    found = (file for file in (directory / place).rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return expected == {file.relative_to(directory).as_posix(): sha256(file.read_bytes()) for file in found}


def _write(path: Path, data: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _move(stage: Path, directory: Path, places: set[str]) -> None:
    """Rename what is staged into place, durably: contents before names, the release's own folder last."""
    for folder in sorted((path for path in stage.rglob("*") if path.is_dir()), reverse=True):
        sync_directory(folder)
    for place in sorted(places):
        (directory / place).parent.mkdir(parents=True, exist_ok=True)
        (stage / place).rename(directory / place)
    for parent in {directory, *((directory / place).parent for place in places)}:
        sync_directory(parent)

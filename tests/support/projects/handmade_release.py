"""Minimal releases that no build made, and tarballs of them that Python's tarfile writes, whatever is in them."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from node_runtime.releases.files.manifest import (
    FileEntry,
    Manifest,
    decode_manifest,
    manifest_path,
    sha256,
    this_platform,
    this_python,
)

Member = tuple[tarfile.TarInfo, bytes]


def handmade(
    vsn: str = "1", files: Mapping[str, bytes] | None = None, name: str = "r"
) -> tuple[Manifest, dict[str, bytes]]:
    """A release without applications; `files` are those apart from its TOML files."""
    files = files if files is not None else {f"bin/{name}": b"#!", f"lib/a-{vsn}/src/a.py": f"v = {vsn!r}".encode()}
    release = f'name = "{name}"\nvsn = "{vsn}"\napps = []\n'
    config = {"release.toml": release, "node.toml": f'name = "{name}@127.0.0.1"\n'}
    whole = {f"releases/{vsn}/{file}": text.encode() for file, text in config.items()} | dict(files)
    return manifest_of(vsn, whole, name), whole


def manifest_of(vsn: str, files: Mapping[str, bytes], name: str = "r") -> Manifest:
    """The manifest of a release without applications."""
    return Manifest(
        name=name,
        vsn=vsn,
        python=this_python(),
        platform=this_platform(),
        path=(),
        apps=(),
        files={path: FileEntry(size=len(data), sha256=sha256(data)) for path, data in files.items()},
    )


def member(path: str, data: bytes) -> Member:
    """A plain file in an archive."""
    info = tarfile.TarInfo(path)
    info.size = len(data)
    return info, data


def members(manifest: Manifest, files: Mapping[str, bytes]) -> list[Member]:
    """The members of a release's archive: the manifest, then the files."""
    first = member(manifest_path(manifest.vsn), manifest.encoded())
    return [first, *(member(path, data) for path, data in files.items())]


def packed(path: Path, parts: list[Member], tail: bytes = b"") -> Path:
    """Write a tarball; `tail` follows the end of the archive, compressed with it."""
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(archive_of(parts))
        stream.write(tail)
    return path


def archive_of(parts: list[Member]) -> bytes:
    """The archive that Python's tarfile writes."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for info, data in parts:
            archive.addfile(info, io.BytesIO(data))
    return raw.getvalue()


def handmade_tarball(path: Path, vsn: str = "1", files: Mapping[str, bytes] | None = None, name: str = "r") -> Path:
    """Write the tarball of a release without applications."""
    return packed(path, members(*handmade(vsn, files, name)))


def repacked(tarball: Path, target: Path, changes: Mapping[str, bytes]) -> Path:
    """Write a built release again with other contents of some files, and a manifest that fits them."""
    with tarfile.open(tarball) as archive:
        files = {info.name: file.read() for info in archive if (file := archive.extractfile(info)) is not None}
    first = next(iter(files))
    manifest = decode_manifest(files.pop(first))
    files |= changes
    entries = {**manifest.files, **manifest_of(manifest.vsn, changes).files}
    parts = members(msgspec.structs.replace(manifest, files=entries), files)
    for info, _ in parts[1:]:
        info.mode = entries[info.name].mode
    return packed(target, parts)

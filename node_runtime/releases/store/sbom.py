"""Reads the bill of materials of a release, from its tarball or from a node's directory."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.manifest import Manifest, read_manifest, sbom_path
from node_runtime.releases.files.regular_file import read_regular

from . import commit_record
from .tarball_reader import open_tarball
from .verify import verify

MAX_SBOM_BYTES: Final = 64 << 20
"""The maximum size of a bill of materials. A component takes about a kilobyte."""


def sbom_in_tarball(path: Path) -> bytes:
    """Return the bill of materials in a tarball; all files are compared with the manifest. Raises Refused."""
    with open_tarball(path) as archive:
        wanted = _listed(archive.manifest)
        document = bytearray()
        for member, pieces in archive.members():
            for piece in pieces:
                if member == wanted:
                    document += piece
    return bytes(document)


def sbom_in_directory(directory: Path, vsn: str | None) -> bytes:
    """Return the bill of materials of the release `vsn`, by default the permanent release, in a node's directory.

    The file is compared with the manifest, and the manifest with the commit record. Raises Refused.
    """
    record = commit_record.load(directory)
    if record is None:
        raise Refused(
            f"{directory} is not the directory of a node; pass a node's directory, or a tarball, which "
            f"`node-runtime build` makes from a project."
        )
    vsn = record.permanent if vsn is None else vsn
    if vsn not in record.releases:
        raise Refused(f"{directory} has no release {vsn}; it has {', '.join(sorted(record.releases))}.")
    manifest = read_manifest(directory, vsn, commit_record.manifest_sha256(directory, vsn))
    path = _listed(manifest)
    verify(directory, manifest, [path])
    try:
        return read_regular(directory / path, MAX_SBOM_BYTES)
    except OSError as error:
        raise Refused(f"{directory / path} can't be read: {error.strerror}.") from None


def _listed(manifest: Manifest) -> str:
    """Return the path of the bill of materials. Raises Refused if the release has none, or if it is too large."""
    path = sbom_path(manifest.vsn)
    entry = manifest.files.get(path)
    if entry is None:
        raise Refused(
            f"Release {manifest.vsn} has no bill of materials ({path}); build it again with this node-runtime."
        )
    if entry.size > MAX_SBOM_BYTES:
        raise Refused(f"{path} has {entry.size:,} bytes (limit {MAX_SBOM_BYTES:,}), so it is not read.")
    return path

"""Compares the files of an unpacked release with its manifest."""

from __future__ import annotations

from pathlib import Path

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.manifest import FileEntry, Manifest, sha256

RESTAGE_REMEDY = "stage its tarball again"
"""The remedy for a damaged release, because unpacking replaces the files that differ from the manifest."""


def verify(directory: Path, manifest: Manifest) -> None:
    """Compare every file of the release with the manifest. Raises `Refused` if a file is missing or differs.

    Files in bin/ are not compared, because all releases use the script bin/<name> of the first one.
    """
    for path, entry in manifest.files.items():
        if not path.startswith("bin/") and (defect := _defect(directory / path, entry)):
            raise Refused(f"Release {manifest.vsn} is damaged: {path} {defect}; {RESTAGE_REMEDY}.")


def is_intact(path: Path, entry: FileEntry) -> bool:
    """Return whether the file exists and has the content that `entry` describes."""
    return _defect(path, entry) is None


def _defect(path: Path, entry: FileEntry) -> str | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"can't be read ({error.strerror})"
    return None if sha256(data) == entry.sha256 else "differs from the build"

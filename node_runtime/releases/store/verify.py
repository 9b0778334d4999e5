"""Compares the files of an unpacked release with its manifest."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.manifest import FileEntry, Manifest
from node_runtime.releases.files.regular_file import check_shortage, sha256_of

RESTAGE_REMEDY = "stage its tarball again"
"""The remedy for a damaged release, because unpacking replaces the files that differ from the manifest."""


def verify(directory: Path, manifest: Manifest, paths: Iterable[str] | None = None) -> None:
    """Compare the files in `paths`, by default all, with the manifest. Raises `Refused` if one is missing or differs.

    Raises ShortOfResources if a file can't be read for lack of descriptors or memory.

    Files in bin/ are not compared, because bin/ may have the newer launcher of another release.
    """
    for path in manifest.files if paths is None else paths:
        if not path.startswith("bin/") and (defect := _defect(directory / path, manifest.files[path])):
            raise Refused(f"Release {manifest.vsn} is damaged: {path} {defect}; {RESTAGE_REMEDY}.")


def is_intact(path: Path, entry: FileEntry) -> bool:
    """Return whether the file exists and has the content that `entry` describes."""
    return _defect(path, entry) is None


def _defect(path: Path, entry: FileEntry) -> str | None:
    try:
        found = sha256_of(path, entry.size)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        check_shortage(path, error)
        return f"can't be read ({error.strerror})"
    return None if found == entry.sha256 else "differs from the build"

"""Whether a release that stands in a node directory still is what its manifest says."""

from __future__ import annotations

from pathlib import Path

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.manifest import FileEntry, Manifest, sha256

REMEDY = "stage its tarball again"
"""What puts a damaged release right: unpacking replaces the parts that are not what they were."""


def verify(directory: Path, manifest: Manifest) -> None:
    """Read every file of the release. Raises `Refused` for the first one that is missing or has other content.

    The script in bin/ is the node's parent and stays the first release's.
    """
    for path, entry in manifest.files.items():
        if not path.startswith("bin/") and (wrong := _wrong(directory / path, entry)):
            raise Refused(f"Release {manifest.vsn} is damaged: {path} {wrong}; {REMEDY}.")


def is_intact(path: Path, entry: FileEntry) -> bool:
    """Whether this file is there as it should be."""
    return _wrong(path, entry) is None


def _wrong(path: Path, entry: FileEntry) -> str | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"can't be read ({error.strerror})"
    return None if sha256(data) == entry.sha256 else "is not what was built"

"""The parts of a node directory: lib/<x>-<v>, releases/<vsn>, and each name in bin/.

Several releases can share a part. A new part is put into its place by one rename.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

from node_runtime.releases.files.manifest import FileEntry, Manifest, manifest_path


def part_of(path: str) -> str:
    """Return the part of the node directory, such as lib/click-8.5.1, that the file `path` is in."""
    return "/".join(path.split("/", 2)[:2])


def parts_of(manifest: Manifest) -> set[str]:
    """Return the parts of the node directory that a release needs, such as lib/click-8.5.1 and releases/1.0."""
    return {part_of(path) for path in (*manifest.files, manifest_path(manifest.vsn))}


def new_parts(manifest: Manifest, directory: Path, *, is_new: bool) -> set[str]:
    """Return the parts of a release, such as lib/click-8.5.1, that the node directory lacks.

    Only a new directory gets parts in bin/.
    """
    return {
        part
        for part in parts_of(manifest)
        if (is_new or not part.startswith("bin/")) and not os.path.lexists(directory / part)
    }


def files_by_part(manifest: Manifest) -> dict[str, dict[str, FileEntry]]:
    """Return the files of each part of a release (such as lib/click-8.5.1): for each part, the files by their path."""
    parts: defaultdict[str, dict[str, FileEntry]] = defaultdict(dict)
    for path, entry in manifest.files.items():
        parts[part_of(path)][path] = entry
    return parts

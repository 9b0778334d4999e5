"""Checks the paths of a release's files: whether they are safe, and whether every file system can keep them apart."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final

from .tarball_limits import MAX_PATH_BYTES, MAX_PATH_PART_BYTES, MAX_PATH_PARTS

_UNSAFE_PARTS: Final = frozenset((b"", b".", b".."))


def is_safe_path(path: str) -> bool:
    """Return whether a path is relative, canonical, printable and within the limits of a tarball."""
    if not path.isprintable() or "\\" in path:
        return False
    data = path.encode()
    parts = data.split(b"/")
    return (
        len(data) <= MAX_PATH_BYTES
        and len(parts) <= MAX_PATH_PARTS
        and len(max(parts, key=len)) <= MAX_PATH_PART_BYTES
        and _UNSAFE_PARTS.isdisjoint(parts)
    )


def folders_of(paths: Iterable[str]) -> set[str]:
    """Return the folders that contain the files `paths`, at any depth."""
    folders: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders


def find_clash(files: Iterable[str], folders: Iterable[str]) -> tuple[str, str] | None:
    """Return two paths that can't both exist on every file system; None if there are no such paths.

    Some file systems treat two paths as one if they differ only in case or in the Unicode form of their characters. A
    file and a folder with the same path can't both exist on any file system.
    """
    seen: dict[str, str] = {}
    for path in (*files, *folders):
        other = seen.setdefault(_folded(path), path)
        if other is not path:
            return other, path
    return None


def _folded(path: str) -> str:
    """Return a text that is equal for any two paths that some file system treats as one path."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())

"""Computes the size and the hash of a file for its upload."""

from __future__ import annotations

import hashlib
from pathlib import Path


def size_and_sha256(path: Path) -> tuple[int, str]:
    """Return the size of a file in bytes, and its SHA-256 in hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), sha256

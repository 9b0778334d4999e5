"""One hash for the content of many files."""

from __future__ import annotations

from collections.abc import Mapping

from node_runtime.releases.files.manifest import sha256


def content_sha256(files: Mapping[str, bytes]) -> str:
    """Return the SHA-256 of the lines that `sha256sum` would print for `files`, sorted by path."""
    return sha256("".join(f"{sha256(files[path])}  {path}\n" for path in sorted(files)).encode())

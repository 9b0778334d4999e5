"""One hash for the content of many files."""

from __future__ import annotations

from collections.abc import Mapping

from node_runtime.releases.files.manifest import sha256


def content_sha256(files: Mapping[str, bytes]) -> str:
    """Return the SHA-256 of the list of `files`, sorted by path: of the lines that `sha256sum` prints for them."""
    return sha256("".join(f"{sha256(files[path])}  {path}\n" for path in sorted(files)).encode())

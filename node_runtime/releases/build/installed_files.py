"""Reads the files of an installed distribution, and compares them with the hashes in its RECORD.

A release gets only files that RECORD lists with a hash, and exactly the bytes that were compared with this hash. Other
files in site-packages never get into a release.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path, PurePosixPath

from packaging.utils import canonicalize_name

from node_runtime.protocol.exit_codes import Refused

_INSTALLER_FILES = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
_ALGORITHMS = ("sha256", "sha384", "sha512")
"""The hash algorithms that the specification of wheels allows."""


def is_editable(distribution: metadata.Distribution) -> bool:
    """Return whether a distribution is installed as a link to its sources."""
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    return bool(origin.get("dir_info", {}).get("editable"))


def is_wheel(distribution: metadata.Distribution) -> bool:
    """Return whether a distribution was installed from a wheel, and still has the RECORD of its files."""
    return bool(distribution.read_text("WHEEL") and distribution.read_text("RECORD")) and not is_editable(distribution)


def read_recorded(distribution: metadata.Distribution) -> dict[str, bytes]:
    """Return the contents of a distribution's files by path, except scripts, bytecode, and the notes of the installer.

    Raises Refused if a file is missing, has no hash in RECORD, doesn't match its hash, or has an unsafe path.
    """
    contents = {}
    for line in csv.reader((distribution.read_text("RECORD") or "").splitlines()):
        name, wanted, size = (*line, "", "", "")[:3]
        path = PurePosixPath(name)
        if not name or path.parts[0] == ".." or "__pycache__" in path.parts or _is_installer_file(path):
            continue
        if path.is_absolute() or ".." in path.parts:
            raise _refusal(distribution, f"its RECORD lists {name!r}, which is not one of its own files")
        try:
            data = Path(str(distribution.locate_file(name))).read_bytes()
        except OSError as error:
            raise _refusal(distribution, f"{name} can't be read ({error.strerror})") from None
        if not wanted:
            raise _refusal(distribution, f"its RECORD has no hash for {name}")
        if not _matches(data, wanted, size):
            raise _refusal(distribution, f"{name} is not the file that its RECORD describes")
        contents[path.as_posix()] = data
    return contents


def check_recorded(distribution: metadata.Distribution, contents: Mapping[str, bytes]) -> None:
    """Raise Refused unless `contents`, by path, are files that the RECORD of a distribution describes.

    The files of an editable distribution are not checked, because its RECORD does not list its sources.
    """
    if is_editable(distribution):
        return
    if not is_wheel(distribution):
        raise _refusal(distribution, "it was not installed from a wheel, or its RECORD is missing")
    recorded = read_recorded(distribution)
    for path, data in contents.items():
        if recorded.get(path) != data:
            raise _refusal(distribution, f"{path} is not in its RECORD")


def _matches(data: bytes, wanted: str, size: str) -> bool:
    algorithm, _, digest = wanted.partition("=")
    if algorithm not in _ALGORITHMS or (size and size != str(len(data))):
        return False
    found = base64.urlsafe_b64encode(hashlib.new(algorithm, data).digest()).rstrip(b"=")
    return found.decode() == digest.rstrip("=")


def _is_installer_file(path: PurePosixPath) -> bool:
    return path.parts[0].endswith(".dist-info") and path.name in _INSTALLER_FILES


def _refusal(distribution: metadata.Distribution, what: str) -> Refused:
    pinned = f"{canonicalize_name(distribution.name)}=={distribution.version}"
    return Refused(
        f"{pinned} in the build environment differs from what was installed: {what}; "
        f"run `python -m pip install --force-reinstall --no-deps {pinned}`."
    )

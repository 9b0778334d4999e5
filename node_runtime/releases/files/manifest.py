"""The manifest of a release: its files with their hashes, the Python that it needs, and its applications' modules."""

from __future__ import annotations

import hashlib
import sys
import sysconfig
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from node_runtime.protocol.exit_codes import Refused

from .launcher_files import check_launcher
from .names import Name, VsnString
from .tarball_limits import MAX_FILES, MAX_PATH_BYTES, MAX_PATH_PART_BYTES, MAX_PATH_PARTS, MAX_TOTAL_BYTES

MAX_BUILD_SECONDS = 253_402_300_799
"""The greatest time of a build, the end of the year 9999."""


class ManifestStruct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the structs that a node directory stores as JSON."""


class FileEntry(ManifestStruct, frozen=True):
    """A file: its size in bytes, hash and mode (executable or not)."""

    size: int
    sha256: str
    mode: Literal[0o644, 0o755] = 0o644


class ModuleEntry(ManifestStruct, frozen=True):
    """A module of an application: the path of its source in the node directory, and the hash of that source."""

    path: str
    sha256: str


class AppEntry(ManifestStruct, frozen=True):
    """An application of the release, with its modules by name."""

    name: Name
    vsn: VsnString
    modules: dict[str, ModuleEntry]

    @property
    def directory(self) -> str:
        """The path of the application in the node directory."""
        return f"lib/{self.name}-{self.vsn}"


class Manifest(ManifestStruct, frozen=True):
    """The manifest of a release. `apps` are in start order.

    `path` lists the folders that the node adds to sys.path: the runtime's and those of third-party code. `built` is the
    time of the build in Unix seconds, if SOURCE_DATE_EPOCH gave one; the build's own clock would make equal projects
    differ.
    """

    name: Name
    vsn: VsnString
    python: str
    platform: str
    path: tuple[str, ...]
    apps: tuple[AppEntry, ...]
    files: dict[str, FileEntry]
    built: Annotated[int, Meta(ge=0, le=MAX_BUILD_SECONDS)] | None = None
    schema: Literal[1] = 1

    def encoded(self) -> bytes:
        """Return the bytes of manifest.json."""
        return msgspec.json.format(msgspec.json.encode(self, order="sorted"), indent=1) + b"\n"


def manifest_path(vsn: str) -> str:
    """Return the path of the manifest of `vsn` in the node directory."""
    return f"releases/{vsn}/manifest.json"


def read_manifest(directory: Path, vsn: str, wanted_sha256: str | None = None) -> Manifest:
    """Read the manifest of an unpacked release in a node directory. Raises `Refused`.

    If `wanted_sha256` is given, it must be the hash of the file.
    """
    path = directory / manifest_path(vsn)
    try:
        data = path.read_bytes()
        if wanted_sha256 not in (None, sha256(data)):
            raise ValueError("it is not the manifest that was staged")
        return decode_manifest(data)
    except FileNotFoundError:
        raise Refused(f"There is no release {vsn} in the node directory {directory}.") from None
    except ValueError as error:
        raise Refused(f"{path} is damaged: {error}; stage its tarball again.") from None


def decode_manifest(data: bytes) -> Manifest:
    """Decode a manifest. Raises ValueError if it is invalid, or if one of its paths is not allowed for a release."""
    manifest = msgspec.json.decode(data, type=Manifest)
    if len(manifest.files) > MAX_FILES or sum(entry.size for entry in manifest.files.values()) > MAX_TOTAL_BYTES:
        raise ValueError(f"it lists more than {MAX_FILES} files, or more than {MAX_TOTAL_BYTES >> 30} GiB in all")
    own_folder = f"releases/{manifest.vsn}/"
    for path in manifest.files:
        allowed = is_safe_path(path) and path.startswith(("lib/", "bin/", own_folder))
        if not allowed or path == manifest_path(manifest.vsn):
            raise ValueError(f"it lists {path!r}, which is not an allowed path for a release's file")
    check_launcher(manifest)
    folders = {str(folder) for path in manifest.files for folder in PurePosixPath(path).parents}
    for path in manifest.path:
        if not path.startswith("lib/") or path not in folders:
            raise ValueError(f"its entry {path!r} for sys.path is not a folder in the release's lib/")
    for app in manifest.apps:
        for name, module in app.modules.items():
            if not is_safe_path(module.path) or not module.path.startswith(f"{app.directory}/"):
                raise ValueError(f"it lists the module {name} at {module.path!r}, which is not in {app.directory}")
    return manifest


def is_safe_path(path: str) -> bool:
    """Return whether a path is relative, canonical, printable and within the limits of a tarball."""
    parts = path.split("/")
    return (
        len(path.encode()) <= MAX_PATH_BYTES
        and len(parts) <= MAX_PATH_PARTS
        and path.isprintable()
        and "\\" not in path
        and all(part and part not in (".", "..") and len(part.encode()) <= MAX_PATH_PART_BYTES for part in parts)
    )


def sha256(data: bytes) -> str:
    """Return the SHA-256 of `data` in hexadecimal, the form that a manifest uses."""
    return hashlib.sha256(data).hexdigest()


def this_python() -> str:
    """Return the running Python's version in the form of a manifest: "3.11"."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def this_platform() -> str:
    """Return the system and processor that native code is built for: "linux-x86_64"."""
    return sysconfig.get_platform()

"""The manifest of a release: every file with its hash, the Python that it needs, and which modules are managed."""

from __future__ import annotations

import hashlib
import sys
import sysconfig
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec

from node_runtime.protocol.exit_codes import Refused

from .names import Name, Vsn

MAX_MANIFEST = 16 << 20
MAX_FILES = 100_000
MAX_TOTAL = 4 << 30


class Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of what is kept as JSON."""


class FileEntry(Struct, frozen=True):
    """A file: bytes, hash, and whether it may be executed."""

    size: int
    sha256: str
    mode: Literal[0o644, 0o755] = 0o644


class ModuleEntry(Struct, frozen=True):
    """A managed module: where its source stands in the node directory, and that source's hash."""

    path: str
    sha256: str


class AppEntry(Struct, frozen=True):
    """An application of the release."""

    name: Name
    vsn: Vsn
    modules: dict[str, ModuleEntry]

    @property
    def directory(self) -> str:
        """Where it stands in the node directory."""
        return f"lib/{self.name}-{self.vsn}"


class Manifest(Struct, frozen=True):
    """A release. `apps` stand in their start order; `path` is what third-party code needs on sys.path."""

    name: Name
    vsn: Vsn
    python: str
    platform: str
    path: tuple[str, ...]
    apps: tuple[AppEntry, ...]
    files: dict[str, FileEntry]
    schema: Literal[1] = 1

    def encoded(self) -> bytes:
        """The bytes of manifest.json."""
        return msgspec.json.format(msgspec.json.encode(self, order="sorted"), indent=1) + b"\n"


def manifest_path(vsn: str) -> str:
    """Where the manifest of `vsn` stands in the node directory."""
    return f"releases/{vsn}/manifest.json"


def read_manifest(directory: Path, vsn: str) -> Manifest:
    """The manifest of a release that stands in a node directory. Raises `Refused`."""
    path = directory / manifest_path(vsn)
    try:
        return decode_manifest(path.read_bytes())
    except FileNotFoundError:
        raise Refused(f"There is no release {vsn} in {directory}.") from None
    except ValueError as error:
        raise Refused(f"{path} is damaged: {error}; stage its tarball again.") from None


def decode_manifest(data: bytes) -> Manifest:
    """Raises ValueError for what is no manifest of ours, or lists a path that must not be written or read."""
    manifest = msgspec.json.decode(data, type=Manifest)
    if len(manifest.files) > MAX_FILES or sum(entry.size for entry in manifest.files.values()) > MAX_TOTAL:
        raise ValueError(f"it lists more than {MAX_FILES} files or {MAX_TOTAL >> 30} GiB")
    own = f"releases/{manifest.vsn}/"
    for path in manifest.files:
        if not is_plain(path) or not path.startswith(("lib/", "bin/", own)) or path == manifest_path(manifest.vsn):
            raise ValueError(f"it lists {path!r}, which is no place for a release's file")
    folders = {str(folder) for path in manifest.files for folder in PurePosixPath(path).parents}
    for path in manifest.path:
        if not path.startswith("lib/") or path not in folders:
            raise ValueError(f"it wants code from {path!r}, which is no folder of its own in lib")
    for app in manifest.apps:
        for name, module in app.modules.items():
            if not is_plain(module.path) or not module.path.startswith(f"{app.directory}/"):
                raise ValueError(f"it has module {name} in {module.path!r}, which is not in {app.directory}")
    return manifest


def is_plain(path: str) -> bool:
    """Whether `path` is relative, has no tricks in it, and means one place."""
    parts = path.split("/")
    return (
        len(path.encode()) <= 512
        and len(parts) <= 16
        and path.isprintable()
        and "\\" not in path
        and all(part and part not in (".", "..") and len(part.encode()) <= 255 for part in parts)
    )


def sha256(data: bytes) -> str:
    """The hash that manifests use."""
    return hashlib.sha256(data).hexdigest()


def this_python() -> str:
    """The Python that runs now, as a manifest demands it: "3.11"."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def this_platform() -> str:
    """The system and processor that native code was built for: "linux-x86_64"."""
    return sysconfig.get_platform()

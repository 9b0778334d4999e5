"""The manifest of a release: its files with their hashes, the Python that it needs, and its applications' modules."""

from __future__ import annotations

import hashlib
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from node_runtime.protocol.exit_codes import Refused

from .manifest_checks import check_manifest
from .names import Name, VsnString
from .regular_file import check_shortage, read_regular
from .tarball_limits import MAX_MANIFEST_BYTES

MAX_BUILD_SECONDS = 253_402_300_799
"""The greatest time of a build, the end of the year 9999."""


class ManifestStruct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the structs that a node directory stores as JSON."""


class FileEntry(ManifestStruct, frozen=True):
    """A file: its size in bytes, hash and mode (executable or not)."""

    size: Annotated[int, Meta(ge=0)]
    sha256: Annotated[str, Meta(max_length=64)]
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
    time of the build in Unix seconds, if SOURCE_DATE_EPOCH was set. The clock is not used, because builds of equal
    projects must give equal bytes.
    """

    name: Name
    vsn: VsnString
    python: Annotated[str, Meta(pattern=r"^[0-9.]{1,16}\Z", max_length=16)]
    platform: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}\Z", max_length=64)]
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


def sbom_path(vsn: str) -> str:
    """Return the path of the bill of materials of `vsn` in the node directory."""
    return f"releases/{vsn}/sbom.cdx.json"


def read_manifest(directory: Path, vsn: str, wanted_sha256: str | None = None) -> Manifest:
    """Read the manifest of an unpacked release in a node directory. Raises `Refused`.

    If `wanted_sha256` is given, it must be the hash of the manifest's file.
    """
    path = directory / manifest_path(vsn)
    try:
        data = read_regular(path, MAX_MANIFEST_BYTES)
        if wanted_sha256 not in (None, sha256(data)):
            raise ValueError("it is not the manifest that was staged")
        manifest = decode_manifest(data)
    except FileNotFoundError:
        raise Refused(f"There is no release {vsn} in the node directory {directory}.") from None
    except (OSError, ValueError) as error:
        check_shortage(path, error)
        reason = error.strerror if isinstance(error, OSError) else error
        raise Refused(f"{path} is damaged: {reason}; stage its tarball again.") from None
    if manifest.vsn != vsn:
        raise Refused(f"{path} is damaged: it is the manifest of release {manifest.vsn}; stage its tarball again.")
    return manifest


def decode_manifest(data: bytes) -> Manifest:
    """Decode a manifest. Raises ValueError if it is too large or invalid, or if it breaks a rule for manifests."""
    if len(data) > MAX_MANIFEST_BYTES:
        raise ValueError(f"it has {len(data):,} bytes (limit {MAX_MANIFEST_BYTES:,})")
    return _decoded(data)


@lru_cache(maxsize=1)
def _decoded(data: bytes) -> Manifest:
    """Decode and check a manifest.

    A node that boots reads the manifest of its release three times, and checking it takes most of the time.
    """
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    check_manifest(manifest, manifest_path(manifest.vsn))
    return manifest


def sha256(data: bytes) -> str:
    """Return the SHA-256 of `data` in hexadecimal, the form that a manifest uses."""
    return hashlib.sha256(data).hexdigest()


def this_python() -> str:
    """Return the running Python's version in the form of a manifest: "3.11"."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def this_platform() -> str:
    """Return the system and processor that native code is built for: "linux-x86_64"."""
    return sysconfig.get_platform()

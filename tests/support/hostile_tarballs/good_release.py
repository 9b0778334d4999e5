"""A good release in small, of which each hostile tarball is a variation.

It is a real build without the runtime and the third-party code, so that a tarball has kilobytes instead of megabytes.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from .raw_tar import BLOCK, Member, archive, compressed, octal, pax_record

LIBRARY: Final = "lib/small_library-1.0"
"""The only folder of third-party code."""
MAX_NAME_BYTES: Final = 100
"""The size of the field for a name."""


@dataclass(frozen=True, slots=True)
class GoodRelease:
    """A release: its manifest as JSON data, its files, the header of one of them, and the paths of its executables."""

    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]
    header: Member
    executables: frozenset[str]

    @property
    def name(self) -> str:
        return str(self.manifest["name"])

    @property
    def vsn(self) -> str:
        return str(self.manifest["vsn"])

    @property
    def app(self) -> str:
        """The folder of the application."""
        return f"lib/{self.name}-{self.vsn}"

    @property
    def source(self) -> str:
        """The path of one of the application's modules."""
        return f"{self.app}/src/{self.name}/server.py"

    @property
    def manifest_path(self) -> str:
        return f"releases/{self.vsn}/manifest.json"

    @property
    def toml_files(self) -> dict[str, str]:
        """The path of each TOML file, by its name."""
        return {path.rpartition("/")[2]: path for path in self.files if path.endswith(".toml")}

    # ------------------------------------------------------------------ variations

    def with_file(self, path: str, data: bytes, mode: int = 0o644) -> GoodRelease:
        """The release with one more or another file, which its manifest lists with the right hash."""
        entry = {"size": len(data), "sha256": digest(data), "mode": mode}
        executables = self.executables | {path} if mode == 0o755 else self.executables - {path}
        changed = replace(self, files=dict(sorted({**self.files, path: data}.items())), executables=executables)
        made = changed.with_manifest(files=dict(sorted({**self.manifest["files"], path: entry}.items())))
        return made.with_modules(
            lambda modules: {
                name: {**module, "sha256": digest(data)} if module["path"] == path else module
                for name, module in modules.items()
            }
        )

    def without_file(self, path: str) -> GoodRelease:
        """The release without a file; its manifest doesn't list it either."""
        files = {one: data for one, data in self.files.items() if one != path}
        listed = {one: entry for one, entry in self.manifest["files"].items() if one != path}
        return replace(self, files=files).with_manifest(files=listed)

    def with_manifest(self, **changes: Any) -> GoodRelease:
        """The release with other values in its manifest."""
        return replace(self, manifest={**self.manifest, **changes})

    def with_entry(self, path: str, **changes: Any) -> GoodRelease:
        """The release with other values in the manifest's entry of a file."""
        files = self.manifest["files"]
        return self.with_manifest(files={**files, path: {**files[path], **changes}})

    def with_modules(self, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> GoodRelease:
        """The release with other modules of its application in its manifest."""
        app, *others = self.manifest["apps"]
        return self.with_manifest(apps=[{**app, "modules": change(app["modules"])}, *others])

    # ------------------------------------------------------------------ the tarball

    def member(self, path: str, data: bytes) -> Member:
        """A member as the build writes it: a path that is long or not ASCII is in a PAX header before its header."""
        mode = octal(0o755 if path in self.executables else 0o644, 8)
        name = path.encode("ascii", "replace")
        member = self.header.with_field("mode", mode).named(name).containing(data)
        if path.isascii() and len(name) <= MAX_NAME_BYTES:
            return member
        record = pax_record(b"path", path.encode("utf-8", "surrogateescape"))
        extended = self.header.named(b"././@PaxHeader").with_field("mode", octal(0, 8)).with_field("typeflag", b"x")
        return Member(extended.containing(record).encoded() + member.header, data)

    def members(self, manifest: bytes | None = None) -> list[Member]:
        """The members as the build writes them: first the manifest, for which `manifest` may have other bytes."""
        first = self.member(self.manifest_path, encoded(self.manifest) if manifest is None else manifest)
        return [first, *(self.member(path, data) for path, data in self.files.items())]

    def tarball(self, manifest: bytes | None = None) -> bytes:
        """The tarball as the build writes it."""
        return compressed(archive(self.members(manifest)))


def digest(data: bytes) -> str:
    """The hash of a file as a manifest has it."""
    return hashlib.sha256(data).hexdigest()


def encoded(manifest: object) -> bytes:
    """The bytes of a manifest."""
    return json.dumps(manifest, sort_keys=True, indent=1).encode() + b"\n"


def read_good_release(tarball: Path) -> GoodRelease:
    """Reduce a built release of one application to its own files and one small library."""
    members = list(_members(gzip.decompress(tarball.read_bytes())))
    manifest = json.loads(members[0].data)
    app = f"lib/{manifest['name']}-{manifest['vsn']}/"
    contents = {_path(member): member for member in members[1:]}
    kept = {path: one for path, one in contents.items() if path.startswith(app) or is_needed(path)}
    listed = {path: manifest["files"][path] for path in kept}
    runtime = [folder for folder in manifest["path"] if folder.startswith("lib/node_runtime-")]
    release = GoodRelease(
        {**manifest, "files": listed, "path": [*runtime, LIBRARY]},
        {path: member.data for path, member in kept.items()},
        kept[f"{app}app.toml"],
        frozenset(path for path, entry in listed.items() if entry["mode"] == 0o755),
    )
    return release.with_file(f"{LIBRARY}/small_library/__init__.py", b"VALUE = 1\n")


def is_needed(path: str) -> bool:
    """Returns whether each release needs the file: outside of lib/, or of the launcher, of which bin/ has a copy."""
    return not path.startswith("lib/") or "/node_runtime/cli/launcher/" in path


def _members(data: bytes) -> list[Member]:
    """The members of an archive; those that describe a following member are left out."""
    found, offset = [], 0
    while any(header := data[offset : offset + BLOCK]):
        size = int(header[124:136].rstrip(b"\0 "), 8)
        start = offset + BLOCK
        if header[156:157] in (b"0", b"\0"):
            found.append(Member(header, data[start : start + size]))
        offset = start + size + -size % BLOCK
    return found


def _path(member: Member) -> str:
    prefix, name = (member.field(field).rstrip(b"\0").decode() for field in ("prefix", "name"))
    return f"{prefix}/{name}" if prefix else name

"""The projects of a case on the disk, and their releases, placed in a node directory without a build."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

from node_runtime.releases.build.project import read_project
from node_runtime.releases.build.tarball import build
from node_runtime.releases.files.manifest import (
    AppEntry,
    FileEntry,
    Manifest,
    ModuleEntry,
    manifest_path,
    read_manifest,
    sha256,
    this_platform,
    this_python,
)
from node_runtime.releases.store import commit_record
from node_runtime.releases.store.unpack import unpack
from tests.support.nodes.built_once import directory_once, tarball_once

from .scaffold import SCAFFOLD

BASE_VSN = "base"


def write_case_project(
    case: Path, check: ModuleType, versions: Sequence[str], vsn: str, *, words: Mapping[str, object], target: Path
) -> None:
    """Write the project of a version: the scaffold's files, those of `all`, and those of the version's own folder."""
    number = versions.index(vsn)
    files = {path: text.encode() for path, text in SCAFFOLD.items()}
    for part in (case / "all", case / vsn):
        files |= {
            path.relative_to(part).as_posix(): path.read_bytes()
            for path in sorted(part.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        }
    named = {**words, "VSN": vsn, "BEFORE": versions[number - 1], "FIRST": versions[0]}
    for path, data in files.items():
        if number == 0 and (b"@BEFORE@" in data or b"@FIRST@" in data):
            continue
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(_filled(data, named))
    if hasattr(check, "project"):
        check.project(target, vsn)


def _filled(data: bytes, words: Mapping[str, object]) -> bytes:
    for word, value in words.items():
        data = data.replace(f"@{word}@".encode(), str(value).encode())
    return data


def requirements(project: Path) -> list[str]:
    """The third-party code that a project names."""
    return list(tomllib.loads((project / "release.toml").read_text("utf-8-sig")).get("requirements", []))


def make_directory(directory: Path, folder: Path) -> Manifest:
    """Make a node directory with the runtime but without a release; returns the manifest of the files that it has."""
    project = folder / "base"
    for path, text in SCAFFOLD.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text.replace("@VSN@", BASE_VSN).replace("@PORT@", "1").replace("@BEFORE@", "none"))
    directory_once(tarball_once(project, folder / "base-tarball", build), directory, unpack)
    manifest = read_manifest(directory, BASE_VSN)
    commit_record.record_path(directory).unlink()
    return manifest


def place_release(directory: Path, project: Path, like: Manifest) -> None:
    """Put a project into a node directory as building and unpacking it would; the first one is permanent.

    It shares the runtime with the release whose manifest is `like`. Raises `Refused` as a build does.
    """
    source = read_project(project)
    vsn = source.release.vsn
    written = {f"releases/{vsn}/{name}": data for name, data in source.config.items()}
    written |= {f"{app.directory}/{path}": data for app in source.apps for path, data in app.files.items()}
    for path, data in written.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(data)
    shared = {path: entry for path, entry in like.files.items() if path.startswith((*like.path, "bin"))}
    manifest = Manifest(
        name=source.release.name,
        vsn=vsn,
        python=this_python(),
        platform=this_platform(),
        path=like.path,
        apps=tuple(
            AppEntry(
                name=app.app.name,
                vsn=app.app.vsn,
                modules={
                    module: ModuleEntry(path=f"{app.directory}/{path}", sha256=sha256(app.files[path]))
                    for module, path in app.modules.items()
                },
            )
            for app in source.apps
        ),
        files=shared | {path: FileEntry(size=len(data), sha256=sha256(data)) for path, data in written.items()},
    )
    (directory / manifest_path(vsn)).write_bytes(manifest.encoded())
    known = commit_record.load(directory)
    commit_record.save(directory, known.with_unpacked(vsn) if known else commit_record.first_record(vsn))

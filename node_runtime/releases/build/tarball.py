"""Builds a release's tarball from a project: everything that a node needs except Python, in one deterministic file.

Equal projects in equal environments give equal bytes: names are sorted, times are zero, and no owners are recorded. The
variable SOURCE_DATE_EPOCH is part of the environment: if it is set, the manifest has its time as the time of the build.
"""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Iterator, Mapping
from importlib import metadata, util
from pathlib import Path

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.launcher_files import bin_path, launcher_files
from node_runtime.releases.files.manifest import (
    MAX_BUILD_SECONDS,
    AppEntry,
    FileEntry,
    Manifest,
    ModuleEntry,
    decode_manifest,
    manifest_path,
    sha256,
    this_platform,
    this_python,
)
from node_runtime.releases.files.tar_format import archive_end, member_header, padding

from .distributions import OWN_DISTRIBUTION, own_requirements, parse_requirements, resolve_distributions
from .project import AppSource, Project, read_project

# A node's script needs only the command line of hotdash, not the dashboard.
_DASHBOARD_PARTS = ("app.py", "app", "screens", "views", "widgets", "demo", "examples")


def build(folder: Path, output: Path) -> Path:
    """Build the project in `folder` and write the tarball to the folder `output`. Return the tarball's path."""
    project = read_project(folder)
    release = project.release
    requirements = parse_requirements(release.requirements, folder / "release.toml")
    with tempfile.TemporaryDirectory(prefix="node-runtime-build-") as downloads:
        third_party = resolve_distributions([*requirements, *own_requirements()], Path(downloads))
        files = {
            f"{distribution.directory}/{path}": file.read_bytes()
            for distribution in third_party
            for path, file in distribution.files.items()
        }
    version = metadata.version(OWN_DISTRIBUTION)
    own = {f"lib/{package}-{version}": _package(package) for package in ("node_runtime", "hotdash")}
    # importlib.metadata.version in the node reads this file.
    metadata_text = metadata.distribution(OWN_DISTRIBUTION).read_text("METADATA") or ""
    files[f"lib/hotdash-{version}/hotdash-{version}.dist-info/METADATA"] = metadata_text.encode()
    files |= {f"{directory}/{path}": data for directory, package in own.items() for path, data in package.items()}
    files |= {f"{app.directory}/{path}": data for app in project.apps for path, data in app.files.items()}
    files |= {f"releases/{release.vsn}/{name}": data for name, data in project.config.items()}
    path = (*sorted(own), *(distribution.directory for distribution in third_party))
    files |= {bin_path(release.name, name): files[file] for name, file in launcher_files(path, files).items()}
    manifest = _manifest(project, files, path)
    _check(project, manifest)
    target = output / f"{release.name}-{release.vsn}.tar.gz"
    _write(target, manifest, files)
    return target


def _package(name: str) -> dict[str, bytes]:
    """Return the files of an importable package, without the files of hotdash's dashboard."""
    spec = util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise Refused(
            f"The package {name} is not installed in the build environment; install hotdash, which contains it."
        )
    root = Path(spec.submodule_search_locations[0])
    return {
        f"{name}/{path.relative_to(root).as_posix()}": path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.suffix in {".py", ".typed"}
        and not (name == "hotdash" and path.relative_to(root).parts[0] in _DASHBOARD_PARTS)
    }


def _manifest(project: Project, files: Mapping[str, bytes], path: tuple[str, ...]) -> Manifest:
    return Manifest(
        name=project.release.name,
        vsn=project.release.vsn,
        python=this_python(),
        platform=this_platform(),
        path=path,
        apps=tuple(_app_entry(app) for app in project.apps),
        files={
            name: FileEntry(
                size=len(data), sha256=sha256(data), mode=0o755 if name == f"bin/{project.release.name}" else 0o644
            )
            for name, data in sorted(files.items())
        },
        built=_source_date(),
    )


def _source_date() -> int | None:
    """Return the time in SOURCE_DATE_EPOCH, the variable for reproducible builds; None if it is not set."""
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text) <= MAX_BUILD_SECONDS):
        raise Refused(f"SOURCE_DATE_EPOCH is {text!r}, but must be a time in Unix seconds, such as 1764368814.")
    return int(text)


def _app_entry(app: AppSource) -> AppEntry:
    return AppEntry(
        name=app.app.name,
        vsn=app.app.vsn,
        modules={
            module: ModuleEntry(path=f"{app.directory}/{path}", sha256=sha256(app.files[path]))
            for module, path in app.modules.items()
        },
    )


def _check(project: Project, manifest: Manifest) -> None:
    """Raise `Refused` if every node would refuse the release because of its manifest."""
    try:
        decode_manifest(manifest.encoded())
    except ValueError as error:
        raise Refused(
            f"Release {project.release.name} {manifest.vsn} can't be built, because no node would accept its "
            f"manifest: {error}."
        ) from None


def _write(target: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Write the tarball. The manifest comes first, so that a reader can verify each file as it reads it."""
    temporary = target.with_name(f".{target.name}.new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            temporary.open("wb") as raw,
            gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0) as packed,
        ):
            size = sum(packed.write(block) for block in _blocks(manifest, files))
            packed.write(archive_end(size))
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise Refused(f"{target} can't be written: {error.strerror}.") from None


def _blocks(manifest: Manifest, files: Mapping[str, bytes]) -> Iterator[bytes]:
    """Yield the parts of the archive without its end."""
    first = manifest.encoded()
    yield from _member(manifest_path(manifest.vsn), first, 0o644)
    for path, entry in manifest.files.items():
        yield from _member(path, files[path], entry.mode)


def _member(path: str, data: bytes, mode: int) -> tuple[bytes, bytes, bytes]:
    return member_header(path, len(data), mode), data, padding(len(data))

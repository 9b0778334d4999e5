"""Builds a release's tarball from a project: everything that a node needs except Python, in one deterministic file.

Equal projects in equal environments give equal bytes: names are sorted, times are zero, and no owners are recorded. If
the environment variable SOURCE_DATE_EPOCH is set, the manifest has its value as the time of the build.
"""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Iterator, Mapping
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
    sbom_path,
    sha256,
    this_platform,
    this_python,
)
from node_runtime.releases.files.schemas import Release, read_release
from node_runtime.releases.files.tar_format import archive_end, member_header, padding

from .distributions import Distribution, parse_requirements, resolve_distributions
from .project import AppSource, Project, read_project
from .release_lock import check_lock, write_lock
from .runtime_files import UNUSED_NEEDS, own_requirements, placed, runtime_distribution
from .sbom import bill_of_materials

COMPRESSION_LEVEL = 2
"""The level of gzip. Level 5 takes twice the time for a tarball that is a tenth smaller."""


def build(folder: Path, output: Path) -> Path:
    """Build the project in `folder` and write the tarball to the folder `output`. Return the tarball's path."""
    project = read_project(folder)
    release = project.release
    third_party = _third_party(folder, release)
    check_lock(folder, third_party)
    runtime = runtime_distribution()
    built = _source_date()
    files = placed(runtime)
    own = sorted({"/".join(path.split("/")[:2]) for path in files})
    for distribution in third_party:
        directory = distribution.directory
        files |= {f"{directory}/{path}": data for path, data in distribution.files.items()}
    files |= {f"{app.directory}/{path}": data for app in project.apps for path, data in app.files.items()}
    files |= {f"releases/{release.vsn}/{name}": data for name, data in project.config.items()}
    files[sbom_path(release.vsn)] = bill_of_materials(project, runtime, third_party, built)
    path = (*own, *(each.directory for each in third_party))
    files |= {bin_path(release.name, name): files[file] for name, file in launcher_files(path, files).items()}
    manifest = release_manifest(project, files, path, built)
    _check(project, manifest)
    target = output / f"{release.name}-{release.vsn}.tar.gz"
    write_tarball(target, manifest, files)
    return target


def lock(folder: Path) -> Path:
    """Write the lock of the project in `folder` for this Python and platform. Return the lock's path."""
    return write_lock(folder, _third_party(folder, read_release(folder / "release.toml")))


def _third_party(folder: Path, release: Release) -> list[Distribution]:
    """Return the third-party distributions of the release and of the runtime, sorted by name."""
    requirements = parse_requirements(release.requirements, folder / "release.toml")
    with tempfile.TemporaryDirectory(prefix="node-runtime-build-") as downloads:
        return resolve_distributions(requirements, Path(downloads), own_requirements(), UNUSED_NEEDS)


def release_manifest(
    project: Project, files: Mapping[str, bytes], path: tuple[str, ...], built: int | None
) -> Manifest:
    """Return the manifest of a release with these files. `path` lists the folders with libraries."""
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
        built=built,
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


def write_tarball(target: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Write the tarball. The manifest comes first, so that a reader can verify each file while reading it."""
    temporary = target.with_name(f".{target.name}.new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            temporary.open("wb") as raw,
            gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=COMPRESSION_LEVEL, mtime=0) as packed,
        ):
            size = sum(packed.write(block) for block in _blocks(manifest, files))
            packed.write(archive_end(size))
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise Refused(f"{target} can't be written: {error.strerror}.") from None


def _blocks(manifest: Manifest, files: Mapping[str, bytes]) -> Iterator[bytes]:
    """Yield the blocks of the tar archive, except those that mark its end."""
    first = manifest.encoded()
    yield from _member(manifest_path(manifest.vsn), first, 0o644)
    for path, entry in manifest.files.items():
        yield from _member(path, files[path], entry.mode)


def _member(path: str, data: bytes, mode: int) -> tuple[bytes, bytes, bytes]:
    return member_header(path, len(data), mode), data, padding(len(data))

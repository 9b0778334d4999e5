"""Releases without libraries, for nodes that run from an environment in which node_runtime is installed.

Such a release has only the project's own files, so it is made in milliseconds. The development node and the tests of
upgrades use such releases.
"""

from __future__ import annotations

from pathlib import Path

from node_runtime.releases.files.manifest import Manifest, manifest_path

from .project import Project
from .tarball import release_manifest, write_tarball


def source_files(project: Project) -> tuple[Manifest, dict[str, bytes]]:
    """Return the manifest of the release, and its files by their paths in a node directory, without the manifest."""
    files = {f"{app.directory}/{path}": data for app in project.apps for path, data in app.files.items()}
    files |= {f"releases/{project.release.vsn}/{name}": data for name, data in project.config.items()}
    return release_manifest(project, files, (), None), files


def place_source_release(project: Project, directory: Path) -> Manifest:
    """Write the release to a node directory that no running node uses. The commit record doesn't change."""
    manifest, files = source_files(project)
    for path, data in (*files.items(), (manifest_path(manifest.vsn), manifest.encoded())):
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(data)
    return manifest


def write_source_tarball(project: Project, target: Path) -> Path:
    """Write the tarball of the release, and return its path."""
    manifest, files = source_files(project)
    write_tarball(target, manifest, files)
    return target

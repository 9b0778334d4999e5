"""The launcher's files in a release. bin/ has the same files as node_runtime's folder `cli/launcher`, and no others.

A release has its launcher in lib/, where the launcher is verified like all other files. bin/ in the tarball is a copy
of the launcher in lib/; the copy becomes the launcher of a new node.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .manifest import Manifest

LAUNCHER_FOLDER = "node_runtime/cli/launcher"
SCRIPT = "script.py"
"""The file in the launcher's folder that becomes bin/<name>. All other files of the folder are in bin/_launcher/."""
FILES = (
    "__init__.py",
    "follower.py",
    "inherited_sockets.py",
    "installed_release.py",
    "interpreter.py",
    "left_processes.py",
    "node_directory.py",
    "parent.py",
    "parent_lock.py",
    SCRIPT,
    "verbs.py",
    "worker.py",
)
"""The files of this version's launcher. The launcher of a newer version may have other files."""


def launcher_files(path: Iterable[str], files: Iterable[str]) -> dict[str, str]:
    """Return the launcher's files in a release: their paths in the release, by their names in the launcher's folder.

    `path` lists the folders that are importable, and `files` the paths of all files.
    """
    found: dict[str, dict[str, str]] = {}
    for file in sorted(files):
        folder, below, name = file.partition(f"/{LAUNCHER_FOLDER}/")
        if below:
            found.setdefault(folder, {})[name] = file
    return next((found[folder] for folder in path if folder in found), {})


def bin_path(release: str, name: str) -> str:
    """Return the path, in the tarball of `release`, of the copy of the launcher's file `name`."""
    return f"bin/{release}" if name == SCRIPT else f"bin/_launcher/{name}"


def check_launcher(manifest: Manifest) -> None:
    """Raise ValueError if a file in bin/ is not a copy of a file of the release's own launcher.

    A release without node_runtime can't run, and has no launcher. For such a release, each name in bin/ must be the
    name of a file in this version's launcher.
    """
    launcher = launcher_files(manifest.path, manifest.files)
    copies = {bin_path(manifest.name, name): manifest.files[path].sha256 for name, path in launcher.items()}
    usual = {bin_path(manifest.name, name) for name in FILES}
    for path, entry in manifest.files.items():
        known = copies.get(path) == entry.sha256 if copies else path in usual
        if path.startswith("bin/") and not known:
            raise ValueError(f"it lists {path!r}, which is not a file of the launcher in the release's node_runtime")

"""The rules for a manifest: where a release's files, modules and import folders may be.

Each check takes time in proportion to the size of the manifest, which may come from an untrusted tarball.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from importlib.machinery import all_suffixes
from typing import TYPE_CHECKING, Final

from .launcher_files import check_launcher
from .names import RESERVED_PACKAGES
from .path_checks import find_clash, folders_of, is_safe_path
from .tarball_limits import MAX_FILES, MAX_PARTS, MAX_TOTAL_BYTES

if TYPE_CHECKING:
    from .manifest import AppEntry, Manifest

RECORD_NAME: Final = "record.json"
"""The name of the commit record, which is in releases/, beside the folders of the releases."""
NODE_PACKAGES: Final = ("node_runtime", "hotdash")
"""The packages of the node itself. Each may be in only one of the folders for sys.path."""
_MODULE_SUFFIXES: Final = tuple(all_suffixes())


def check_manifest(manifest: Manifest, own_path: str) -> None:
    """Raise ValueError for the first rule that the manifest breaks, with a clause such as "it lists …".

    `own_path` is the manifest's own path in the node directory.
    """
    files = manifest.files
    if len(files) > MAX_FILES or sum(entry.size for entry in files.values()) > MAX_TOTAL_BYTES:
        raise ValueError(f"it lists more than {MAX_FILES:,} files, or more than {MAX_TOTAL_BYTES >> 30} GiB in all")
    if len({tuple(path.split("/", 2)[:2]) for path in files}) > MAX_PARTS:
        raise ValueError(f"its files are in more than {MAX_PARTS:,} folders of lib/")
    if manifest.vsn.lower() == RECORD_NAME:
        raise ValueError(f"it has the vsn {manifest.vsn}, which is the name of a file of the node in releases/")
    own_folder = f"releases/{manifest.vsn}/"
    for path in files:
        is_placed = path.startswith(("bin/", own_folder)) or (path.startswith("lib/") and path.count("/") > 1)
        if not is_placed or path == own_path or not is_safe_path(path):
            raise ValueError(f"it lists {path!r}, which is not an allowed path for a release's file")
    check_launcher(manifest)
    folders = folders_of((*files, own_path))
    if clash := find_clash((*files, own_path), folders):
        raise ValueError(f"it lists {clash[0]!r} and {clash[1]!r}, which some file systems can't keep apart")
    _check_import_folders(manifest.path, files, folders)
    _check_apps(manifest.apps, manifest.path)


def _check_import_folders(path: tuple[str, ...], files: Iterable[str], folders: set[str]) -> None:
    """Check the entries for sys.path: each is a folder in lib/, and none has a module of Python or of the node."""
    for entry in path:
        if not entry.startswith("lib/") or entry not in folders:
            raise ValueError(f"its entry {entry!r} for sys.path is not a folder in the release's lib/")
    entries = set(path)
    if len(entries) < len(path):
        raise ValueError("it lists a folder for sys.path twice")
    homes: dict[str, str] = {}
    containing: dict[str, list[str]] = {}
    for file in files:
        folder = file.rpartition("/")[0]
        if folder not in containing:
            containing[folder] = [*_entries_above(folder, entries)]
        for entry in containing[folder]:
            name = _top_level_name(file[len(entry) + 1 :])
            if name not in RESERVED_PACKAGES:
                continue
            if name not in NODE_PACKAGES or homes.setdefault(name, entry) != entry:
                raise ValueError(f"it lists {file!r}, which would be imported instead of the {name} of the node")


def _entries_above(folder: str, entries: set[str]) -> Iterable[str]:
    """Yield each entry for sys.path that is `folder` or contains it."""
    while folder:
        if folder in entries:
            yield folder
        folder = folder.rpartition("/")[0]


def _top_level_name(file: str) -> str:
    """Return the name of the top-level module that a file is or belongs to; "" if Python can't import the file.

    `file` is the path of the file in an entry for sys.path.
    """
    name, slash, _ = file.partition("/")
    if slash:
        return imported_as(name)
    return imported_as(name.partition(".")[0]) if name.endswith(_MODULE_SUFFIXES) else ""


def imported_as(name: str) -> str:
    """Return the name that Python looks up for `import name`: Python normalizes identifiers."""
    return name if name.isascii() else unicodedata.normalize("NFKC", name)


def _check_apps(apps: tuple[AppEntry, ...], path: tuple[str, ...]) -> None:
    if len({app.name for app in apps}) < len(apps):
        raise ValueError("it lists an application twice")
    owners: dict[str, str] = {}
    for app in apps:
        inside = next((folder for folder in path if f"{folder}/".startswith(f"{app.directory}/")), None)
        if inside is not None:
            raise ValueError(f"its application {app.name} has the folder {inside}, which is for libraries")
        for name, module in app.modules.items():
            root, source = imported_as(name.partition(".")[0]), f"{app.directory}/src/{name.replace('.', '/')}"
            if "/" in name or module.path not in (f"{source}.py", f"{source}/__init__.py"):
                raise ValueError(f"it lists the module {name!r} at {module.path!r}, not at its place in {app.name}")
            if root in RESERVED_PACKAGES:
                raise ValueError(f"its application {app.name} has the module {name}; {root} is a module of the node")
            if owners.setdefault(name, app.name) != app.name:
                raise ValueError(f"its module {name} is in two applications, {owners[name]} and {app.name}")

"""Imports only files that the release's manifest lists, from the same bytes that were compared with the manifest.

`node_runtime/cli/enter.py` executes this file before anything else of the release can be imported, so this file uses
only the standard library. A hook in `sys.path_hooks` handles all folders below the node's directory, so the import
system's own finder never reads these folders. In `sys.path`, they come after the folders of the standard library. A
file that no manifest lists can't be imported. Bytecode files are used only if the module `bytecode` has verified them.

Rejected: to check the hash and then import the file as usual, because the file may change in between.

Limits: data files are compared if they are read through `importlib.resources`, `pkgutil.get_data` or
`importlib.metadata`, but not if a library opens them by their paths. If an application starts a process without
`release_command`, that process imports files without any check.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import cache_from_source, spec_from_file_location
from typing import TYPE_CHECKING, Any

from .bytecode import Bytecode, code_of
from .verified_extensions import VerifiedExtensionLoader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from importlib.metadata import Distribution, DistributionFinder
    from types import CodeType, ModuleType

    from .verified_data import ResourceReader

_RUN_MAIN = (
    "import importlib, json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); "
    "importlib.import_module(sys.argv[1]).main(sys.argv[2:])"
)

_REMOVED = ""
"""The key of the files that stay listed after the removal of their release. All other keys are versions of releases."""

_listed: ListedFiles | None = None
_command: list[str] = []


class DamagedFile(Exception):
    """A listed file is missing or differs from the manifest. Not an ImportError, since libraries often ignore those."""


class ListedFiles:
    """The files below the node's directory that the manifests of its releases list, with their hashes.

    All threads may use this object. `add` and `remove` replace its dicts instead of changing them, because another
    thread may be reading them.
    """

    def __init__(self, directory: str, recorded_bytecode: Mapping[str, str]) -> None:
        self.directory = os.path.abspath(directory)
        self.bytecode = Bytecode(self.directory, recorded_bytecode)
        self._lock = threading.Lock()
        self._releases: dict[str, Mapping[str, str]] = {}
        self._sha256: dict[str, str] = {}
        self._folders: dict[str, set[str]] = {}

    def add(self, vsn: str, files: Mapping[str, str]) -> None:
        """Add the files of a release: their paths, relative to the node's directory, with their hexadecimal sha256.

        A file that a release already lists keeps its hash until that release is removed.
        """
        with self._lock:
            if vsn not in self._releases:
                self._releases[vsn] = files
                folders = {folder: {*names} for folder, names in self._folders.items()}
                self._list(files.keys() - self._sha256.keys(), folders)

    def remove(self, vsn: str, used: Iterable[str] = ()) -> None:
        """Forget the files that only this release lists, except those in the folders `used`."""
        with self._lock:
            files = self._releases.pop(vsn, None)
            if files is not None:
                folders = tuple(f"{folder}/" for folder in used)
                left = {path: sha256 for path, sha256 in files.items() if path.startswith(folders)}
                self._releases[_REMOVED] = {**left, **self._releases.get(_REMOVED, {})}
                self._list({path for files in self._releases.values() for path in files}, {})

    def _list(self, paths: Iterable[str], folders: dict[str, set[str]]) -> None:
        for path in paths:
            folder, _, name = path.rpartition("/")
            names = folders.setdefault(folder, set())
            while name not in names:
                names.add(name)
                folder, _, name = folder.rpartition("/")
                names = folders.setdefault(folder, set())
        self._folders = folders
        sha256: dict[str, str] = {}
        for files in self._releases.values():
            sha256 = {**files, **sha256}
        self._sha256 = sha256

    def relative(self, path: str) -> str | None:
        """Return a path relative to the node's directory; None for a path outside of it."""
        path = os.path.abspath(path)
        if path == self.directory:
            return ""
        return path[len(self.directory) + 1 :] if path.startswith(f"{self.directory}/") else None

    def names(self, folder: str) -> set[str] | None:
        """Return the names of the listed files and folders in a folder; None if the folder has no listed file."""
        return self._folders.get(folder)

    def below(self, folder: str) -> list[str]:
        """Return the absolute paths of all listed files below a folder."""
        return [f"{self.directory}/{path}" for path in self._sha256 if path.startswith(f"{folder}/")]

    def read(self, path: str) -> bytes:
        """Return the bytes of a file.

        Raises FileNotFoundError if the file isn't listed, and DamagedFile if it can't be read or differs.
        """
        wanted = self._sha256.get(self.relative(path) or "")
        if wanted is None:
            raise FileNotFoundError(f"No release of this node lists the file {path}")
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            raise DamagedFile(f"{path} can't be read ({error.strerror}); stage its release's tarball again.") from None
        if hashlib.sha256(data).hexdigest() != wanted:
            raise DamagedFile(f"{path} differs from the build; stage its release's tarball again.")
        return data


class VerifiedSourceLoader(SourceFileLoader):
    """The loader of a source file that the manifest lists.

    The loader compares the source with the manifest. Then it compiles exactly the compared bytes, or executes their
    verified bytecode file.
    """

    def __init__(self, name: str, path: str, files: ListedFiles) -> None:
        super().__init__(name, path)
        self._files = files

    def get_data(self, path: str) -> bytes:
        """Return the bytes of a listed file (a source or a data file), or of this module's verified bytecode file."""
        if path == self.path or path != cache_from_source(self.path):
            return self._files.read(path)
        data = self._files.bytecode.read(self._files.relative(self.path) or "")
        if data is None:
            raise FileNotFoundError(f"{self.path} has no bytecode file, or the file differs from its recorded hash")
        return data

    def path_stats(self, path: str) -> Mapping[str, Any]:
        """Return a time and a size of 0 for a source, because bytecode files are compared by hashes instead.

        Raises OSError if the source `path` has no bytecode file; then the base class does not read one.
        """
        if not self._files.bytecode.has(self._files.relative(path) or ""):
            raise OSError(f"{path} has no bytecode file")
        return {"mtime": 0, "size": 0}

    def set_data(self, path: str, data: object, *, _mode: int = 0o666) -> None:
        """Do nothing: bytecode files are only written when a release is unpacked."""

    def get_resource_reader(self, name: str | None = None) -> ResourceReader:  # type: ignore[override]
        """Return the reader for `importlib.resources`."""
        from .verified_data import ResourceReader

        return ResourceReader(self._files, os.path.dirname(self.path))


class ListedFolder:
    """The finder of the modules in one folder below the node's directory: an entry of `sys.path` or of a `__path__`."""

    def __init__(self, files: ListedFiles, folder: str) -> None:
        self._files = files
        self._folder = folder

    def find_spec(self, name: str, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find a module as `importlib.machinery.FileFinder` does, but only among the listed files."""
        names = self._files.names(self._folder) if self._folder.startswith("lib/") else None
        if names is None:
            return None
        tail = name.rpartition(".")[2]
        inside = self._files.names(f"{self._folder}/{tail}") or ()
        for directory, stem, found in ((f"{tail}/", "__init__", inside), ("", tail, names)):
            for suffix in (*EXTENSION_SUFFIXES, ".py"):
                if f"{stem}{suffix}" in found:
                    path = f"{self._files.directory}/{self._folder}/{directory}{stem}{suffix}"
                    return _file_spec(self._files, name, path, package=bool(directory))
        if not inside:
            return None
        portion = ModuleSpec(name, None)  # for a namespace package, which may have several folders
        portion.submodule_search_locations = [f"{self._files.directory}/{self._folder}/{tail}"]
        return portion

    def iter_modules(self, prefix: str = "") -> Iterator[tuple[str, bool]]:
        """Yield the name of each module and whether it is a package, for `pkgutil`."""
        for name in sorted(self._files.names(self._folder) or ()):
            spec = self.find_spec(stem := name.partition(".")[0])
            if stem.isidentifier() and stem != "__init__" and spec is not None and spec.loader is not None:
                yield f"{prefix}{stem}", spec.submodule_search_locations is not None

    def invalidate_caches(self) -> None:
        """Do nothing: the finder caches no folder."""


class VerifiedPathFinder(PathFinder):
    """A `PathFinder` that finds, below the node's directory, only distributions that a manifest lists."""

    @classmethod
    def find_distributions(  # type: ignore[override]
        cls, context: DistributionFinder.Context | None = None
    ) -> Iterable[Distribution]:
        """Find distributions for `importlib.metadata`; below the node's directory, only those that a manifest lists."""
        from .verified_data import find_distributions

        assert _listed is not None
        return find_distributions(_listed, context)


def install(
    directory: str,
    vsn: str,
    files: Mapping[str, str],
    bytecode: Mapping[str, str],
    path: Sequence[str],
    command: Sequence[str],
) -> None:
    """Make the listed files in a release's folders `path` importable, and no other file below the node's directory.

    `files` maps the release's files to their hashes. `bytecode` maps the release's parts to the recorded hashes of
    their bytecode indexes. `command` is the command of this process without the module and its arguments.
    """
    global _listed  # noqa: PLW0603  # the import system is global, too
    listed = _listed = ListedFiles(directory, bytecode)
    listed.add(vsn, files)
    _command[:] = command

    def hook(entry: str) -> ListedFolder:
        folder = listed.relative(entry)
        if folder is None:
            raise ImportError(f"{entry} is not below {listed.directory}")
        return ListedFolder(listed, folder)

    sys.path_hooks.insert(0, hook)
    sys.path_importer_cache.clear()
    sys.path += [f"{listed.directory}/{folder}" for folder in path]
    sys.meta_path[sys.meta_path.index(PathFinder)] = VerifiedPathFinder


def adopt(module: ModuleType, path: str) -> None:
    """Set the attributes that an import sets, on a module that was executed before `install` from the file `path`."""
    assert _listed is not None
    module.__spec__ = _file_spec(_listed, module.__name__, path, package=False)
    module.__loader__ = module.__spec__.loader
    module.__package__ = module.__spec__.parent


def add_listed_files(vsn: str, files: Mapping[str, str]) -> None:
    """Add the files of the release `vsn`, with their hashes, so that the release's modules can be imported."""
    if _listed is not None:
        _listed.add(vsn, files)


def remove_listed_files(vsn: str, used: Iterable[str] = ()) -> None:
    """Forget the files that only this release lists, so that they can no longer be imported.

    Afterwards, another release with the same version and other files can be staged. Files in the folders `used`, which
    are relative to the node's directory, can still be imported.
    """
    if _listed is not None:
        _listed.remove(vsn, used)


def start_processes_as(vsn: str, manifest_sha256: str) -> None:
    """Make `release_command` start OS processes that import the release `vsn` of this node and its libraries.

    This is needed because the release that booted this node may be removed while the node runs another release.
    """
    if _command:
        *start, before, directory, _ = _command
        has_hash = not before.endswith(".py")  # the launcher in an older node directory passes no hash
        _command[:] = [*start, manifest_sha256 if has_hash else before, directory, vsn]


def resource_reader(path: str) -> ResourceReader | None:
    """Return the verifying reader of the data files beside the module at `path`; None outside of a release."""
    if _listed is None or _listed.relative(path) is None:
        return None
    return VerifiedSourceLoader("", path, _listed).get_resource_reader()


def recorded_code(path: str, source: bytes) -> CodeType | None:
    """Return the code in a module's verified bytecode file; None if no bytecode file was made from `source`."""
    relative = None if _listed is None else _listed.relative(path)
    data = None if _listed is None or relative is None else _listed.bytecode.read(relative)
    return None if data is None else code_of(data, source, path)


def release_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs `module.main(arguments)` in a process with the same verified imports as this one.

    In a process that was not started from a release, such as a test, the command uses the folders in `sys.path`.
    """
    if _command:
        return [*_command, module, *arguments]
    path = json.dumps([os.path.abspath(folder) for folder in sys.path])
    return [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", _RUN_MAIN, path, module, *arguments]


def _file_spec(files: ListedFiles, name: str, path: str, *, package: bool) -> ModuleSpec:
    kind = VerifiedSourceLoader if path.endswith(".py") else VerifiedExtensionLoader
    search = [os.path.dirname(path)] if package else None
    spec = spec_from_file_location(name, path, loader=kind(name, path, files), submodule_search_locations=search)
    assert spec is not None  # the result is None only without a loader
    return spec

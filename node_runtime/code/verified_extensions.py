"""Loads extension modules of a release from private copies of the bytes that were compared with the manifest.

The system's loader takes a path, not bytes. So the bytes are written to an anonymous file in memory, which is loaded
and closed. The libraries that a wheel bundles in `<distribution>.libs/` are loaded in the same way before the extension
module. Then the system's loader finds these libraries by their names, and doesn't search the folder.

There are cases in which the module is loaded from its path, after all libraries of its distribution have been compared
with the manifest. Then the file could be replaced between the comparison and the load. The cases are: the system has no
anonymous files, as outside of Linux; the system refuses to load them; or the module needs a library of its package
outside of `*.libs/`.
"""

from __future__ import annotations

import _imp
import fcntl
import os
from contextlib import contextmanager
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from .verified_imports import ListedFiles

_loads = count()
_copies: dict[str, str] = {}
_distributions: set[str] = set()


class VerifiedExtensionLoader(ExtensionFileLoader):
    """The loader of an extension module that the manifest lists."""

    def __init__(self, name: str, path: str, files: ListedFiles) -> None:
        super().__init__(name, path)
        self._files = files

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Load the module from a private copy. Raises DamagedFile if the file or a bundled library differs."""
        _load_libraries(self._files, self.path)
        with _private_copy(self._files, self.path) as copy:
            loaded = ModuleSpec(spec.name, self, origin=copy)
            loaded.submodule_search_locations = spec.submodule_search_locations
            try:
                module: ModuleType = _imp.create_dynamic(loaded)
            except ImportError as error:
                if error.path != copy:  # the module's own code has raised the error
                    raise
                for path in _libraries(self._files, self.path):
                    self._files.read(path)
                module = _imp.create_dynamic(spec)
        module.__file__ = self.path
        return module

    def get_data(self, path: str) -> bytes:
        """Return the bytes of a listed file."""
        return self._files.read(path)

    def get_resource_reader(self, name: str | None = None) -> Any:
        """Return the reader for `importlib.resources`."""
        from .verified_data import ResourceReader

        return ResourceReader(self._files, os.path.dirname(self.path))


@contextmanager
def _private_copy(files: ListedFiles, path: str) -> Iterator[str]:
    """Write the verified bytes of a file to an anonymous file, and yield the path that loads it."""
    data = files.read(path)
    if path in _copies:  # a second load must use the same path as the first
        yield _copies[path]
        return
    descriptor = _memory_file(os.path.basename(path), data)
    if descriptor is None:
        yield path
        return
    try:
        # The system's loader loads each path only once, so each path has a different number of slashes.
        copy = f"/proc/self/fd{'/' * (next(_loads) + 1)}{descriptor}"
        yield copy
        _copies[path] = copy
    finally:
        os.close(descriptor)


def _memory_file(name: str, data: bytes) -> int | None:
    """Return the descriptor of an anonymous file that can't be changed; None if the system can't make one."""
    try:
        descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except (AttributeError, OSError):
        return None
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    except OSError:  # a limit on file sizes applies to anonymous files, too
        os.close(descriptor)
        return None
    return descriptor


def _load_libraries(files: ListedFiles, path: str) -> None:
    """Load the libraries in the `*.libs/` folders of the distribution of `path`, in the order of their dependencies."""
    distribution = _distribution(files, path)
    if distribution in _distributions:
        return
    _distributions.add(distribution)
    waiting = [library for library in _libraries(files, path) if ".libs/" in library]
    while waiting and (loaded := [library for library in waiting if _load_library(files, library)]):
        waiting = [library for library in waiting if library not in loaded]


def _load_library(files: ListedFiles, path: str) -> bool:
    """Try to load a library; return False if that fails, for example because a library that it needs isn't loaded."""
    from ctypes import CDLL

    with _private_copy(files, path) as copy:
        try:
            CDLL(copy)
        except OSError:
            return False
    return True


def _libraries(files: ListedFiles, path: str) -> list[str]:
    """Return the shared libraries that the manifest lists for the distribution of `path`."""
    listed = files.below(_distribution(files, path))
    return [library for library in listed if os.path.basename(library).endswith((".so", ".dylib")) or ".so." in library]


def _distribution(files: ListedFiles, path: str) -> str:
    return "/".join((files.relative(path) or "").split("/")[:2])

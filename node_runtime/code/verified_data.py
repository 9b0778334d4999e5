"""Reads data files of a release and compares them with the manifest: resources of packages, and metadata."""

from __future__ import annotations

import io
import re
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .verified_imports import ListedFiles


class ResourceReader:
    """The reader of a package's data files, for `importlib.resources`."""

    def __init__(self, files: ListedFiles, folder: str) -> None:
        self._files = files
        self._folder = folder

    def files(self) -> Resource:
        """Return the package's folder."""
        return Resource(self._files, self._folder)


class Resource:
    """A file or folder that the manifest lists, as an `importlib.resources.abc.Traversable`."""

    def __init__(self, files: ListedFiles, path: str) -> None:
        self._files = files
        self._path = path

    @property
    def name(self) -> str:
        """The last part of the path."""
        return Path(self._path).name

    def is_dir(self) -> bool:
        """Return whether this is a folder in which the manifest lists a file."""
        return bool(self._names())

    def is_file(self) -> bool:
        """Return whether this is a file that the manifest lists."""
        parent = Resource(self._files, str(Path(self._path).parent))
        return self.name in parent._names() and not self.is_dir()

    def iterdir(self) -> Iterator[Resource]:
        """Yield the listed files and folders in this folder."""
        return (self.joinpath(name) for name in sorted(self._names()))

    def joinpath(self, *descendants: str) -> Resource:
        """Return a file or folder below this one."""
        return Resource(self._files, str(Path(self._path).joinpath(*descendants)))

    __truediv__ = joinpath

    def open(self, mode: str = "r", *arguments: Any, **options: Any) -> io.BytesIO | io.TextIOWrapper:
        """Open the file for reading: as bytes if the mode is "rb", otherwise as text."""
        opened = io.BytesIO(self.read_bytes())
        return opened if "b" in mode else io.TextIOWrapper(opened, *arguments, **options)

    def read_bytes(self) -> bytes:
        """Return the file's bytes. Raises DamagedFile if they differ from the manifest."""
        return self._files.read(self._path)

    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:
        """Return the file's text. Raises DamagedFile if its bytes differ from the manifest."""
        return self.read_bytes().decode(encoding or "utf-8", errors or "strict")

    def _names(self) -> set[str]:
        folder = self._files.relative(self._path)
        return set() if folder is None else self._files.names(folder) or set()


class ListedDistribution(metadata.Distribution):
    """A distribution whose metadata files the manifest lists. `folder` is its `.dist-info` folder."""

    def __init__(self, files: ListedFiles, folder: Path) -> None:
        self._files = files
        self._folder = folder

    def read_text(self, filename: str) -> str | None:
        """Return the text of a metadata file; None if the manifest doesn't list it."""
        try:
            return self._files.read(str(self._folder / filename)).decode()
        except FileNotFoundError:
            return None

    def locate_file(self, path: Any) -> Path:
        """Return the path of a file of the distribution."""
        return Path(self._folder.parent, path)


def find_distributions(
    files: ListedFiles, context: metadata.DistributionFinder.Context | None
) -> Iterator[metadata.Distribution]:
    """Yield the distributions in the folders of `context`.

    Below the node's directory, only distributions that a manifest lists are found.
    """
    wanted = context or metadata.DistributionFinder.Context()
    entries = [(entry, files.relative(entry)) for entry in map(str, wanted.path)]
    for entry, folder in entries:
        for name in sorted(files.names(folder) or ()) if folder is not None else ():
            stem = name.removesuffix(".dist-info")  # <distribution>-<version>
            distribution = stem.rpartition("-")[0]
            if stem != name and (wanted.name is None or _normalized(distribution) == _normalized(wanted.name)):
                yield ListedDistribution(files, Path(entry, name))
    outside = [entry for entry, folder in entries if folder is None]
    yield from PathFinder.find_distributions(metadata.DistributionFinder.Context(name=wanted.name, path=outside))


def _normalized(name: str) -> str:
    """Return the normal form of a distribution's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()

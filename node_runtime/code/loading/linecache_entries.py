"""Makes tracebacks, `inspect` and `pdb` show the source that a version was compiled from.

All three use `linecache`. By default `linecache` reads the file, and reads it again after the file has changed. So each
version adds an entry to `linecache`. On request, the entry makes the lines from the version's source. The entry is
valid as long as the version lives.
"""

from __future__ import annotations

import linecache
import weakref
from typing import TYPE_CHECKING, Any, SupportsIndex

if TYPE_CHECKING:
    from .finder import Loader


class LinecacheEntry(tuple[Any, ...]):
    """An entry of `linecache.cache`: size, time, lines, file.

    The time is None, so `linecache` doesn't compare the entry with the file.
    """

    def __new__(cls, file: str, size: int, loader: Loader) -> LinecacheEntry:
        entry = super().__new__(cls, (size, None, [], file))
        entry._loader = weakref.ref(loader)
        return entry

    _loader: weakref.ref[Loader]

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        if index != 2:
            return super().__getitem__(index)
        loader, lines = self._loader(), super().__getitem__(2)
        if loader is None:
            return linecache.updatecache(super().__getitem__(3))
        if not lines:
            text = loader.get_source(loader.name)
            lines += (text if text.endswith("\n") else f"{text}\n").splitlines(keepends=True)
        return lines


def show_source(file: str, size: int, loader: Loader) -> None:
    """Make `linecache` return the lines of the source of `loader` for the file name `file`."""
    linecache.cache[file] = LinecacheEntry(file, size, loader)

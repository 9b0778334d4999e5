"""The lines that tracebacks, `inspect` and `pdb` show of a version: of the text that it was compiled from.

They ask `linecache`, which would read the file, and read it again when it has changed since. So each version puts an
entry there that makes the lines from its own text, when somebody wants them, and that is good for as long as it lives.
"""

from __future__ import annotations

import linecache
import weakref
from typing import TYPE_CHECKING, Any, SupportsIndex

if TYPE_CHECKING:
    from .finder import Loader


class Entry(tuple[Any, ...]):
    """As `linecache` has them: size, time, lines, file. Without a time it isn't compared with the file."""

    def __new__(cls, file: str, size: int, loader: Loader) -> Entry:
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


def show(file: str, size: int, loader: Loader) -> None:
    """Let `file` be what `loader` has loaded."""
    linecache.cache[file] = Entry(file, size, loader)

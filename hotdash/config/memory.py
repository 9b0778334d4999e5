"""The state that the dashboard keeps between two runs, in `$XDG_STATE_HOME/hotdash/memory.json`.

About a node, the file contains only names, such as those of rows. If the file is missing, damaged or not writable, the
dashboard works as usual, but remembers nothing.
"""

from __future__ import annotations

import os
from collections.abc import Container, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from .locations import state_directory

MAX_FILE_BYTES = 1024 * 1024
"""The maximum size of the file; a larger file is not read."""
MAX_NODES = 50
"""The maximum number of nodes whose views are remembered; the nodes used last are kept."""
MAX_NAMES = 500
"""The maximum number of names in one list of one view."""

ViewMemory = dict[str, tuple[str, ...]]
"""What one view remembers: lists of names, such as those of its columns or of its closed rows."""


class Memory(msgspec.Struct, frozen=True):
    """The content of the file. `nodes` has, for each node, what each view remembers; the node shown last comes last."""

    theme: str | None = None
    nodes: dict[str, dict[str, ViewMemory]] = msgspec.field(default_factory=dict)

    def with_views(self, node: str, views: dict[str, ViewMemory]) -> Memory:
        """Return a copy of the memory in which `views` replaces the entries of `node`."""
        cut = {view: {key: tuple(names[:MAX_NAMES]) for key, names in lists.items()} for view, lists in views.items()}
        others = {name: kept for name, kept in self.nodes.items() if name != node}
        kept = dict(list(others.items())[-(MAX_NODES - 1) :])
        return msgspec.structs.replace(self, nodes={**kept, node: cut})


class MemoryFile:
    """Reads and writes the file at `path`. If `path` is None, nothing is read or written."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._at_start = read_memory(path) if path is not None else Memory()

    def theme(self, themes: Container[str]) -> str | None:
        """Return the remembered theme if it is one of `themes`, else None."""
        return self._at_start.theme if self._at_start.theme in themes else None

    def views(self, node: str, columns: Mapping[str, tuple[str, ...]]) -> dict[str, ViewMemory]:
        """Return the names that the views of `node` remember. Columns in the settings replace remembered columns."""
        remembered = self._at_start.nodes.get(node, {})
        chosen = {view: {"columns": names} for view, names in columns.items()}
        return {view: remembered.get(view, {}) | chosen.get(view, {}) for view in {*remembered, *chosen}}

    def write(self, node: str, theme: str | None, views: dict[str, ViewMemory]) -> None:
        """Write the theme, unless it is None, and the names that the views of `node` remember.

        The file is read again first, since another dashboard may have written to it meanwhile.
        """
        if self._path is not None:
            memory = read_memory(self._path).with_views(node, views)
            write_memory(self._path, msgspec.structs.replace(memory, theme=theme or memory.theme))


def memory_path() -> Path:
    """Return the path of the file, which need not exist."""
    return state_directory() / "memory.json"


def read_memory(path: Path) -> Memory:
    """Return the content of the file; an empty memory if the file can't be used."""
    with suppress(OSError, msgspec.DecodeError, ValueError):
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) <= MAX_FILE_BYTES:
            return msgspec.json.decode(content, type=Memory)
    return Memory()


def write_memory(path: Path, memory: Memory) -> None:
    """Replace the file, readable by this user only; on a failure, the file stays as it was."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(memory))
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)

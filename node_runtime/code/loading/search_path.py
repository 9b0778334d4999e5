"""The folders of the applications at the end of `sys.path`.

The node finds the applications' modules through the code server. OS processes that a program starts have no code
server. For example, the processes of loky, or of `multiprocessing` with "spawn" or "forkserver", get a copy of
`sys.path` when they start, and use it to import the modules whose functions they have to run.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from node_runtime.code.version import Source


class SearchPath:
    """The entries that `sys.path` has for the applications of one code server."""

    def __init__(self) -> None:
        self._entries: list[str] = []

    def set(self, sources: Iterable[Source]) -> None:
        """Replace the entries by the folders from which the modules of `sources` can be imported by name."""
        others = [entry for entry in sys.path if entry not in self._entries]
        found = dict.fromkeys(folder for source in sources if (folder := _import_folder(source)) is not None)
        self._entries = [folder for folder in found if folder not in others]
        sys.path[:] = [*others, *self._entries]


def _import_folder(source: Source) -> str | None:
    """Return the folder in `sys.path` below which the source has the name of its module; None if there is none.

    For "shop.box" and "/lib/x/shop/box.py", the folder is "/lib/x".
    """
    name = source.module.replace(".", "/")
    for tail in (f"/{name}.py", f"/{name}/__init__.py", f"/{name}"):
        if source.path.endswith(tail):
            return source.path[: -len(tail)]
    return None

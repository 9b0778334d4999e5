"""Keeps the registry of `typing.overload` separate for each version.

`typing` registers the decorated functions by module, name and line, for `typing.get_overloads`. Without this separation
it would mix those of several versions, and keep every version whose line numbers differ.
"""

from __future__ import annotations

import typing
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from node_runtime.code.journal import Journal
    from node_runtime.code.version import Version

Overloads = dict[str, Any]

_registry: dict[str, Overloads] = getattr(typing, "_overload_registry", {})


@contextmanager
def collect_overloads(module: str) -> Iterator[Overloads]:
    """Yield a dict that gets, at the end of the block, the overloads that a body has registered in the block.

    The entries of the current version are hidden during the block.
    """
    current, own = _registry.pop(module, None), Overloads()
    try:
        yield own
    finally:
        own.update(_registry.pop(module, {}))
        if current is not None:
            _registry[module] = current


def switch_overloads(module: str, leaving: Version | None, entering: Version | None, journal: Journal) -> None:
    """Make the registry show the overloads of the version that becomes current."""
    shown = _registry.get(module)
    if leaving is not None and shown is not None:
        leaving.overloads = shown
    if entering is not None and entering.overloads:
        journal.put(_registry, module, entering.overloads)
    elif shown is not None:
        journal.remove(_registry, module)

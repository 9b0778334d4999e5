"""Keeps the registry of `typing.overload` separate for each version.

For `typing.get_overloads`, `typing` registers the decorated functions by module, name and line. If versions shared the
registry, it would mix their functions, and keep every version with different line numbers in memory.
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


def current_overloads(module: str) -> Overloads:
    """Return the overloads of the current version of a module."""
    return _registry.get(module, {})


@contextmanager
def collect_overloads(module: str) -> Iterator[Overloads]:
    """Yield a dict. At the end of the `with` body, it gets the overloads that were registered in this body.

    During the `with` body, the registry lacks the entries of the current version.
    """
    current, own = _registry.pop(module, None), Overloads()
    try:
        yield own
    finally:
        own.update(_registry.pop(module, {}))
        if current is not None:
            _registry[module] = current


def switch_overloads(module: str, leaving: Version | None, entering: Version | None, journal: Journal) -> None:
    """Replace the entries of `leaving` in the registry of overloads by those of `entering`, which becomes current.

    The version `leaving` keeps its entries for a revert. None means that there is no such version.
    """
    shown = _registry.get(module)
    if leaving is not None and shown is not None:
        leaving.overloads = shown
    if entering is not None and entering.overloads:
        journal.put(_registry, module, entering.overloads)
    elif shown is not None:
        journal.remove(_registry, module)

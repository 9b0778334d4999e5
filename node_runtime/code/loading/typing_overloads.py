"""What `typing.overload` remembers, apart for each version.

It keeps the functions that it decorates by module, name and line, for `typing.get_overloads`. So it would show those of
several versions as one's, and keep each version whose lines stood elsewhere.
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
def collected(module: str) -> Iterator[Overloads]:
    """Gives what a body decorates, once it has run; the module's current ones are out of sight until then."""
    current, own = _registry.pop(module, None), Overloads()
    try:
        yield own
    finally:
        own.update(_registry.pop(module, {}))
        if current is not None:
            _registry[module] = current


def show(module: str, leaving: Version | None, entering: Version | None, journal: Journal) -> None:
    """Let the module's overloads be those of the version that becomes current."""
    shown = _registry.get(module)
    if leaving is not None and shown is not None:
        leaving.overloads = shown
    if entering is not None and entering.overloads:
        journal.put(_registry, module, entering.overloads)
    elif shown is not None:
        journal.drop(_registry, module)

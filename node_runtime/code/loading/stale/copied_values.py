"""Finds plain values of replaced modules that the bodies of other modules have used, such as `MAX = limits.LOW * 2`.

A commit rebinds imported names, but it does not repeat what a body has computed with them. If the new version has
another number, text or table, the importing module keeps the result that it has computed with the old one.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

from node_runtime.code.classes.definition_equality import same_code
from node_runtime.code.imports import reads_of_body
from node_runtime.code.loading.class_data import MISSING, named_value

if TYPE_CHECKING:
    from node_runtime.code.module import Namespace
    from node_runtime.code.module_table import ModuleTable
    from node_runtime.code.version import ManagedModule, Version

MAX_NAMED: Final = 3
"""A sentence names at most this many values and this many places."""
MAX_ITEMS: Final = 10_000
"""A container with more items does not count as a plain value."""
MAX_FOLLOWED: Final = 20
"""A name is followed through at most this many modules that only import it."""
_PLAIN: Final = (type(None), bool, int, float, complex, str, bytes)
_CONTAINERS: Final = (list, tuple, set, frozenset, dict)


class CopiedValues:
    """The values that a load of `versions` replaces, and the bodies of other modules that have used them."""

    def __init__(self, table: ModuleTable, versions: Iterable[tuple[ManagedModule, Version]]) -> None:
        self._table = table
        self._batch: dict[str, tuple[Namespace, Namespace]] = {
            managed.name: (managed.current.namespace, version.namespace)
            for managed, version in versions
            if managed.current is not None and managed.current is not version
        }

    def sentences(self, outside: Iterable[tuple[str, Version]]) -> Iterator[str]:
        """Yield a sentence for each module outside the load whose body has used values that the load changes."""
        for module, version in outside:
            values: dict[str, None] = {}
            places: dict[str, None] = {}
            for read in reads_of_body(version.unit.code):
                found = self._origin(version, read.name)
                if found is not None and self._is_copied(found, named_value(version.namespace, read.place)):
                    values[".".join(found)] = None
                    places[read.place] = None
            if values:
                yield (
                    f"The body of {module} has used {_listed(values)} for {_listed(places)}. The new version has "
                    f"another value, which {module} gets only when it is loaded again: let the appup load {module} "
                    f"too."
                )

    def _origin(self, version: Version, name: tuple[str, ...]) -> tuple[str, str] | None:
        """Return the module of the load, and the name in it, that a dotted name in another module refers to."""
        first, *rest = name
        thing = version.namespace.get(first)
        if not inspect.ismodule(thing):
            return self._imported(version, first)
        module = str(vars(thing).get("__name__", ""))
        while rest and f"{module}.{rest[0]}" in self._table.modules:
            module = f"{module}.{rest.pop(0)}"
        if module in self._batch:
            return (module, rest[0]) if rest else None
        managed = self._table.modules.get(module)
        return self._imported(managed.current, rest[0]) if rest and managed and managed.current else None

    def _imported(self, version: Version, name: str) -> tuple[str, str] | None:
        for _ in range(MAX_FOLLOWED):
            entries = [entry for entry in version.imports.entries if entry.bound]
            found = next(((each.module, each.name) for each in entries if each.alias == name and each.name), None)
            if found is None and name not in version.imports.own:
                starred = (each.module for each in entries if each.name == "*")
                found = next(((each, name) for each in starred if name in (self._table.namespace(each) or ())), None)
            if found is None or found[0] in self._batch:
                return found
            managed = self._table.modules.get(found[0])
            if managed is None or managed.current is None:
                return None
            version, name = managed.current, found[1]
        return None

    def _is_copied(self, origin: tuple[str, str], kept: Any) -> bool:
        """Return whether `kept`, which a body has computed from the global `origin`, is old after this load."""
        module, name = origin
        before, after = (namespace.get(name, MISSING) for namespace in self._batch[module])
        if before is after or after is MISSING:
            return False
        if type(before) is FunctionType and type(after) is FunctionType:
            return kept is not None and _is_plain(kept) and not same_code(before.__code__, after.__code__)
        if not (_is_plain(before) and _is_plain(after)):
            return False
        return type(before) is not type(after) or before != after or (kept is before and not _is_constant(kept))


def _is_plain(value: Any) -> bool:
    """Return whether a value is a number, a text or another constant, or a container of such values."""
    waiting, left = [value], MAX_ITEMS
    while waiting:
        one = waiting.pop()
        if type(one) in _CONTAINERS:
            left -= len(one)
            if left < 0:
                return False
            waiting.extend([*one, *one.values()] if type(one) is dict else one)
        elif type(one) not in _PLAIN:
            return False
    return True


def _is_constant(value: Any) -> bool:
    return type(value) in (*_PLAIN, tuple, frozenset)


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - MAX_NAMED:,} more" if len(every) > MAX_NAMED else ""
    return ", ".join(every[:MAX_NAMED]) + more

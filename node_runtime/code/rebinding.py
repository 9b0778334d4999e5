"""Bringing `from module import name` up to date in the importers, and finding the names that would be lost.

A from-import copies a binding. When a module is switched, every *current* version of a managed module that holds
such a copy, under the name that its import statement gave it and still the very object of the version that was
current, gets the new object. Copies that went further (defaults, containers, bases, decorators) are not followed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .imports import Import
    from .journal import Journal
    from .module import Namespace
    from .table import ModuleTable
    from .version import Version

Moves = dict[str, tuple["Namespace", "Namespace"]]
"""Module to its namespace before and after a switch; for an importer, only the names that changed in it."""

_ABSENT: Any = object()
_SHARED = (type(None), bool, int, float, complex, str, bytes, tuple, frozenset, type(...))
"""What equal constants of two modules may be one object of."""


def public(namespace: Namespace) -> list[str]:
    """What a star import takes."""
    listed = namespace.get("__all__")
    return list(listed) if listed is not None else [name for name in namespace if not name.startswith("_")]


def _pairs(entry: Import, namespace: Namespace) -> Iterator[tuple[str, str]]:
    """The names that an import statement copies: there, here."""
    if entry.name == "*":
        yield from ((name, name) for name in public(namespace))
    elif entry.name is not None:
        yield entry.name, entry.alias


def _is_copy(version: Version, alias: str, theirs: Any) -> bool:
    """The name in `version` still is what it imported, and not the same constant that it bound itself."""
    if version.namespace.get(alias, _ABSENT) is not theirs:
        return False
    return alias not in version.imports.own or not isinstance(theirs, _SHARED)


def rebind(table: ModuleTable, moves: Moves, journal: Journal) -> None:
    """Bring the importers' current versions up to date, and then those who import from the importers.

    What moves together was executed together, so it has the right names of each other.
    """
    together = moves
    while moves:
        further: Moves = {}
        for hot in list(table.modules.values()):
            version = hot.current
            if version is None or moves.keys().isdisjoint(version.imports.modules):
                continue
            if moves is together and hot.name in together:
                continue
            before, after = _rebind_one(version, moves, journal)
            if after:
                further[hot.name] = before, after
        moves = further


def _rebind_one(version: Version, moves: Moves, journal: Journal) -> tuple[Namespace, Namespace]:
    namespace, before, after = version.namespace, {}, {}
    for entry in version.imports.entries:
        if not entry.bound or entry.module not in moves:
            continue
        was, now = moves[entry.module]
        for name, alias in _pairs(entry, now):
            if name not in now:
                continue
            mine = namespace.get(alias, _ABSENT)
            appeared = mine is _ABSENT and entry.name == "*" and name not in was
            if appeared or (_is_copy(version, alias, was.get(name, version)) and mine is not now[name]):
                before[alias], after[alias] = mine, now[name]
                journal.put(namespace, alias, now[name])
    return before, after


def live_imports(table: ModuleTable, version: Version) -> tuple[tuple[str, str, str], ...]:
    """Which copies of `version` are, at this moment, the imported ones: module, name there, name here."""
    found = []
    for entry in version.imports.entries:
        source = table.modules.get(entry.module)
        if not entry.bound or source is None or source.current is None:
            continue
        theirs = source.current.namespace
        found += [
            (entry.module, name, alias)
            for name, alias in _pairs(entry, theirs)
            if _is_copy(version, alias, theirs.get(name, version))
        ]
    return tuple(found)


def refresh(table: ModuleTable, version: Version, journal: Journal) -> None:
    """Bring the copies of a version that becomes current up to date: others may have been loaded in the meantime."""
    for module, name, alias in version.live:
        source = table.modules[module].current
        theirs = _ABSENT if source is None else source.namespace.get(name, _ABSENT)
        if theirs is not _ABSENT and theirs is not version.namespace.get(alias, _ABSENT):
            journal.put(version.namespace, alias, theirs)


def vanished(table: ModuleTable, new: Mapping[str, Namespace], deleted: frozenset[str]) -> list[str]:
    """The names that modules outside the batch import and that will be gone: "module.name imported by importer"."""
    gone = set()
    for hot in list(table.modules.values()):
        version = hot.current
        if version is None or hot.name in new or hot.name in deleted:
            continue
        for entry in version.imports.entries:
            if entry.module in deleted:
                gone.add(f"{entry.module} imported by {hot.name}")
            elif entry.module in new:
                gone.update(f"{name} imported by {hot.name}" for name in _lost(table, version, entry, new, deleted))
    return sorted(gone)


def _lost(
    table: ModuleTable, version: Version, entry: Import, new: Mapping[str, Namespace], deleted: frozenset[str]
) -> Iterator[str]:
    source = table.modules[entry.module].current
    now = new[entry.module]
    if source is None or "__getattr__" in now:
        return
    for name, alias in _pairs(entry, source.namespace):
        full = f"{entry.module}.{name}"
        theirs = source.namespace.get(name, _ABSENT)
        if theirs is _ABSENT or name in now or (full in table.sources and full not in deleted):
            continue
        if entry.bound and version.namespace.get(alias, _ABSENT) is not theirs:
            continue
        if entry.name != "*" or alias in version.imports.names:
            yield full

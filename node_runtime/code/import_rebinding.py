"""Bringing `from module import name` up to date in the importers, and finding the names that would be lost.

A from-import copies a binding. When a module is switched, every *current* version of a managed module that holds
such a copy, under the name that its import statement gave it and still the very object of the version that was
current, gets the new object. Copies that went further (defaults, containers, bases, decorators) are not followed.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .journal import ABSENT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from .imports import Import
    from .journal import Journal
    from .module import Namespace
    from .module_table import ModuleTable
    from .version import Link, Links, Version

Moves = dict[str, tuple["Namespace", "Namespace"]]
"""Module to its namespace before and after a change."""

View = Callable[[str], "Namespace | None"]
"""Module to the namespace that is its current one, from somebody's point of view; None if it isn't loaded."""

_SHARED = (type(None), bool, int, float, complex, str, bytes, tuple, frozenset, type(...))
"""What equal constants of two modules may be one object of."""


def public(namespace: Namespace) -> list[str]:
    """What a star import takes."""
    listed = namespace.get("__all__")
    return list(listed) if listed is not None else [name for name in list(namespace) if not name.startswith("_")]


def is_exported(namespace: Namespace, name: str) -> bool:
    """Whether a star import takes the name."""
    listed = namespace.get("__all__")
    return not name.startswith("_") if listed is None else name in listed


def exported(namespace: Namespace) -> set[str]:
    """The public names that are there: `__all__` may list more, which `__getattr__` makes up."""
    return {name for name in public(namespace) if name in namespace}


def _pairs(entry: Import, namespace: Namespace) -> Iterator[tuple[str, str]]:
    """The names that an import statement copies: there, here."""
    if entry.name == "*":
        yield from ((name, name) for name in public(namespace))
    elif entry.name is not None:
        yield entry.name, entry.alias


def _is_copy(version: Version, alias: str, theirs: Any) -> bool:
    """The name in `version` still is what it imported, and not the same constant that it bound itself."""
    if version.namespace.get(alias, ABSENT) is not theirs:
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
            if moves is together and hot.name in together:
                continue
            version = hot.current
            if version is None or moves.keys().isdisjoint(version.imports.modules):
                continue
            before = _rebind_one(version, moves, journal)
            if before is not None:
                further[hot.name] = before, version.namespace
        moves = further


def _rebind_one(version: Version, moves: Moves, journal: Journal) -> Namespace | None:
    """Returns the namespace as it was before, None if nothing had to be changed."""
    changes: Namespace = {}
    for entry in version.imports.entries:
        if entry.bound and entry.module in moves:
            was, now = moves[entry.module]
            changes.update(_changes(version, entry, was, now))
    before = dict(version.namespace) if changes else None
    for alias, value in changes.items():
        journal.copy(version.namespace, alias, value)
    return before


def _changes(version: Version, entry: Import, was: Namespace, now: Namespace) -> Iterator[tuple[str, Any]]:
    namespace = version.namespace
    star = entry.name == "*"
    for name, alias in _pairs(entry, now):
        if name not in now:
            continue
        mine = namespace.get(alias, ABSENT)
        appeared = star and _may_appear(version, alias)
        if appeared or (_is_copy(version, alias, was.get(name, version)) and mine is not now[name]):
            yield alias, now[name]
    if star:
        for name in exported(was).difference(exported(now)):
            if _is_copy(version, name, was[name]) and _may_vanish(version, name):
                yield name, ABSENT


def _may_appear(version: Version, name: str) -> bool:
    return name not in version.namespace and name not in version.imports.own


def _may_vanish(version: Version, name: str) -> bool:
    """Nobody needs what a star import took if the code doesn't read it, and an old version shouldn't be kept by it.

    A submodule may be bound in a new version of its package later than other names.
    """
    return (
        name not in version.imports.names
        and not isinstance(version.namespace[name], ModuleType)
        and not _imports_by_name(version, name)
    )


def _imports_by_name(version: Version, alias: str) -> bool:
    """A star import isn't all that gives the module this name."""
    return any(entry.bound and entry.alias == alias and entry.name is not None for entry in version.imports.entries)


def live_imports(version: Version, view: View) -> Links:
    """Which copies of `version` are, at this moment, the imported ones. `view` gives the namespaces it imports from."""
    found = []
    for entry in version.imports.entries:
        theirs = view(entry.module) if entry.bound else None
        if theirs is None:
            continue
        star = entry.name == "*"
        if star:
            found.append((entry.module, "*", "*"))
        found += [
            (entry.module, "*" if star else name, alias)
            for name, alias in _pairs(entry, theirs)
            if _is_copy(version, alias, theirs.get(name, version))
        ]
    return tuple(found)


def refresh(versions: Collection[Version], view: View, journal: Journal) -> None:
    """Bring the copies of versions that become current up to date: others may have been loaded in the meantime.

    One of them may import from another what this has imported itself, so it takes rounds.
    """
    links = [(version, list(version.live)) for version in versions]
    for _ in links:
        if not sum(_refresh_one(version, live, view, journal) for version, live in links):
            break


def _refresh_one(version: Version, live: list[Link], view: View, journal: Journal) -> bool:
    _take_new_names(version, live, view)
    stale = {
        alias: value
        for alias, value in dict(_meant(version, live, view)).items()
        if value is not version.namespace.get(alias, ABSENT)
    }
    for alias, value in stale.items():
        journal.copy(version.namespace, alias, value)
    return bool(stale)


def _take_new_names(version: Version, live: list[Link], view: View) -> None:
    """What star imports find for the first time has to follow from now on, for it may be out of date itself."""
    for module in [module for module, _, alias in live if alias == "*"]:
        names = exported(view(module) or {})
        live += ((module, "*", name) for name in names if _may_appear(version, name))


def _meant(version: Version, live: Iterable[Link], view: View) -> Iterator[tuple[str, Any]]:
    """The names that a version has imported, and what they mean now."""
    for module, name, alias in live:
        theirs = view(module)
        if theirs is None or alias == "*":
            continue
        if name != "*":
            if name in theirs:
                yield alias, theirs[name]
        elif alias in theirs and is_exported(theirs, alias):
            yield alias, theirs[alias]
        elif alias in version.namespace and _may_vanish(version, alias):
            yield alias, ABSENT


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
    star = entry.name == "*"
    there = exported(now) if star else now.keys()
    for name, alias in _pairs(entry, source.namespace):
        full = f"{entry.module}.{name}"
        theirs = source.namespace.get(name, ABSENT)
        if theirs is ABSENT or name in there or (full in table.sources and full not in deleted):
            continue
        if entry.bound and version.namespace.get(alias, ABSENT) is not theirs:
            continue
        if not star or (alias in version.imports.names and not _imports_by_name(version, alias)):
            yield full

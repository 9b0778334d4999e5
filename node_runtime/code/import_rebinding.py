"""Rebinds the names of from-imports when a module is switched, and finds the imported names that would be missing.

`from module import name` binds `name` in the importer. When another version of `module` becomes current, the importer's
`name` is rebound to the new object. There are two conditions: the importer is the *current* version of a managed
module, and its `name` still refers to the replaced version's object. References in other places (defaults, containers,
bases, decorators) are not changed, except annotations: see `loading/annotation_rebinding.py`.
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
    from .version import ImportedName, ImportedNames, Version

NamespaceChanges = dict[str, tuple["Namespace", "Namespace"]]
"""Maps a module to its namespace before and after a change."""

NamespaceLookup = Callable[[str], "Namespace | None"]
"""Returns the namespace that counts as a module's current one; None if the module isn't loaded."""

_INTERNED_TYPES = (type(None), bool, int, float, complex, str, bytes, tuple, frozenset, type(...))
"""Types of constants. Equal constants of two modules may be the same object."""


def star_import_names(namespace: Namespace) -> list[str]:
    """Return the names that a star import copies."""
    listed = namespace.get("__all__")
    return list(listed) if listed is not None else [name for name in list(namespace) if not name.startswith("_")]


def is_exported(namespace: Namespace, name: str) -> bool:
    """Return whether a star import copies the name."""
    listed = namespace.get("__all__")
    return not name.startswith("_") if listed is None else name in listed


def exported_names(namespace: Namespace) -> set[str]:
    """Return the names that a star import copies and that the namespace has.

    `__all__` may list other names, which the module's `__getattr__` provides.
    """
    return {name for name in star_import_names(namespace) if name in namespace}


def copied_aliases(version: Version, table: ModuleTable) -> set[str]:
    """Return the names that the imports of a version have bound, except names from a module's `__getattr__`.

    A commit does not rebind a name from `__getattr__`, because the imported module has no variable of this name.
    """
    found = set()
    for entry in version.imports.entries:
        namespace = table.namespace(entry.module) if entry.bound and entry.name not in (None, "*") else None
        if entry.bound and (namespace is None or entry.name in namespace):
            found.add(entry.alias)
    return found


def _copied_names(entry: Import, namespace: Namespace) -> Iterator[tuple[str, str]]:
    """Yield a pair for each name that an import copies: its name in the imported module and in the importer."""
    if entry.name == "*":
        yield from ((name, name) for name in star_import_names(namespace))
    elif entry.name is not None:
        yield entry.name, entry.alias


def _still_has_import(version: Version, alias: str, imported: Any) -> bool:
    """Return whether the name `alias` still refers to the imported object.

    False for a constant that the body also binds by another statement, because equal constants may be one object.
    """
    if version.namespace.get(alias, ABSENT) is not imported:
        return False
    return alias not in version.imports.own or not isinstance(imported, _INTERNED_TYPES)


def rebind_importers(table: ModuleTable, moves: NamespaceChanges, journal: Journal) -> list[Version]:
    """Rebind imported names after the modules in `moves` have got other namespaces.

    The first round rebinds names in the importers of these modules. Each further round rebinds
    names in the importers of the modules that the previous round has changed. The first round skips
    the modules in `moves`, because they were executed together: the names that they import from
    each other are already correct. Only current versions are changed. Returns the changed versions.
    """
    together = moves
    rebound: list[Version] = []
    while moves:
        further: NamespaceChanges = {}
        for managed in list(table.modules.values()):
            if moves is together and managed.name in together:
                continue
            version = managed.current
            if version is None or moves.keys().isdisjoint(version.imports.modules):
                continue
            before = _rebind_one(version, moves, journal)
            if before is not None:
                further[managed.name] = before, version.namespace
                rebound.append(version)
        moves = further
    return rebound


def rebind_module_objects(table: ModuleTable, replaced: Iterable[tuple[object, object]], journal: Journal) -> None:
    """Rebind the global names that refer to a former entry of `sys.modules` to the present entry.

    This concerns modules that replace themselves in `sys.modules`. `replaced` has pairs of the former and the present
    entry.
    """
    moves = {id(before): now for before, now in replaced if before is not None and now is not None}
    if not moves:
        return
    for managed in list(table.modules.values()):
        if managed.current is not None:
            namespace = managed.current.namespace
            for name, now in [(name, moves[id(value)]) for name, value in namespace.items() if id(value) in moves]:
                journal.rebind(namespace, name, now)


def _rebind_one(version: Version, moves: NamespaceChanges, journal: Journal) -> Namespace | None:
    """Rebind the names of one version; return a copy of its previous namespace, or None without a change."""
    changes: Namespace = {}
    for entry in version.imports.entries:
        if entry.bound and entry.module in moves:
            was, now = moves[entry.module]
            changes.update(_changes(version, entry, was, now))
    before = dict(version.namespace) if changes else None
    for alias, value in changes.items():
        journal.rebind(version.namespace, alias, value)
    return before


def _changes(version: Version, entry: Import, was: Namespace, now: Namespace) -> Iterator[tuple[str, Any]]:
    namespace = version.namespace
    star = entry.name == "*"
    for name, alias in _copied_names(entry, now):
        if name not in now:
            continue
        present = namespace.get(alias, ABSENT)
        appeared = star and _may_appear(version, alias)
        if appeared or (_still_has_import(version, alias, was.get(name, version)) and present is not now[name]):
            yield alias, now[name]
    if star:
        for name in exported_names(was).difference(exported_names(now)):
            if _still_has_import(version, name, was[name]) and _may_vanish(version, name):
                yield name, ABSENT


def _may_appear(version: Version, name: str) -> bool:
    return name not in version.namespace and name not in version.imports.own


def _may_vanish(version: Version, name: str) -> bool:
    """Return whether a name that a star import copied can be removed.

    The name must stay if the importer reads it, if another import binds it, or if it is a submodule.
    """
    return (
        name not in version.imports.names
        and not isinstance(version.namespace[name], ModuleType)
        and not _imports_by_name(version, name)
    )


def _imports_by_name(version: Version, alias: str) -> bool:
    """Return whether an import other than a star import binds the name `alias`."""
    return any(entry.bound and entry.alias == alias and entry.name is not None for entry in version.imports.entries)


def find_live_imports(version: Version, view: NamespaceLookup) -> ImportedNames:
    """Return the imported names of `version` that still refer to the imported objects.

    `view` returns the namespace of a module.
    """
    found = []
    for entry in version.imports.entries:
        imported = view(entry.module) if entry.bound else None
        if imported is None:
            continue
        star = entry.name == "*"
        if star:
            found.append((entry.module, "*", "*"))
        found += [
            (entry.module, "*" if star else name, alias)
            for name, alias in _copied_names(entry, imported)
            if _still_has_import(version, alias, imported.get(name, version))
        ]
    return tuple(found)


def add_live_imports(version: Version, view: NamespaceLookup) -> None:
    """Add to `version.live_imports` the imported names that a revert has restored in `version`.

    `live_imports` lacks these names, because it was recorded before the revert, when the version became old.
    """
    found = find_live_imports(version, view)
    version.live_imports = tuple(dict.fromkeys((*version.live_imports, *found)))


def refresh_imports(versions: Collection[Version], view: NamespaceLookup, journal: Journal) -> None:
    """Rebind the imported names of versions that become current to the present objects of the imported modules.

    The imported modules may have changed since the names were recorded in `live_imports`. If these versions import
    from each other, the update takes several rounds.
    """
    links = [(version, list(version.live_imports)) for version in versions]
    for _ in links:
        if not sum(_refresh_one(version, live, view, journal) for version, live in links):
            break


def _refresh_one(version: Version, live: list[ImportedName], view: NamespaceLookup, journal: Journal) -> bool:
    _take_new_names(version, live, view)
    stale = {
        alias: value
        for alias, value in dict(_present_values(version, live, view)).items()
        if value is not version.namespace.get(alias, ABSENT)
    }
    for alias, value in stale.items():
        journal.rebind(version.namespace, alias, value)
    return bool(stale)


def _take_new_names(version: Version, live: list[ImportedName], view: NamespaceLookup) -> None:
    """Add to `live` the names that a star import would copy now and that the version doesn't have yet."""
    for module in [module for module, _, alias in live if alias == "*"]:
        names = exported_names(view(module) or {})
        live += ((module, "*", name) for name in names if _may_appear(version, name))


def _present_values(version: Version, live: Iterable[ImportedName], view: NamespaceLookup) -> Iterator[tuple[str, Any]]:
    """Yield each imported name of a version with its present value; with ABSENT if the name has to be removed."""
    for module, name, alias in live:
        imported = view(module)
        if imported is None or alias == "*":
            continue
        if name != "*":
            if name in imported:
                yield alias, imported[name]
        elif alias in imported and is_exported(imported, alias):
            yield alias, imported[alias]
        elif alias in version.namespace and _may_vanish(version, alias):
            yield alias, ABSENT


def missing_imports(table: ModuleTable, new: Mapping[str, Namespace], deleted: frozenset[str]) -> list[str]:
    """Return the names that importers would miss after the load, as "m.name imported by importer".

    For a deleted module `m`, the result has "m imported by importer". `new` has the namespaces of
    the new versions. Modules in `new` and in `deleted` are not checked as importers.
    """
    missing = set()
    for managed in list(table.modules.values()):
        version = managed.current
        if version is None or managed.name in new or managed.name in deleted:
            continue
        for entry in version.imports.entries:
            if entry.module in deleted:
                missing.add(f"{entry.module} imported by {managed.name}")
            elif entry.module in new:
                missing.update(
                    f"{name} imported by {managed.name}" for name in _missing_names(table, version, entry, new, deleted)
                )
    return sorted(missing)


def _missing_names(
    table: ModuleTable, version: Version, entry: Import, new: Mapping[str, Namespace], deleted: frozenset[str]
) -> Iterator[str]:
    source = table.modules[entry.module].current
    now = new[entry.module]
    if source is None or "__getattr__" in now:
        return
    star = entry.name == "*"
    there = exported_names(now) if star else now.keys()
    for name, alias in _copied_names(entry, source.namespace):
        full = f"{entry.module}.{name}"
        imported = source.namespace.get(name, ABSENT)
        if imported is ABSENT or name in there or (full in table.sources and full not in deleted):
            continue
        if entry.bound and version.namespace.get(alias, ABSENT) is not imported:
            continue
        if not star or (alias in version.imports.names and not _imports_by_name(version, alias)):
            yield full

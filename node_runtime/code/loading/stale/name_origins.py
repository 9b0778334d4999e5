"""Finds the variable to which a dotted name refers, if the variable is a global of a module of the load."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Final, NamedTuple

from node_runtime.code.module import HotModule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from node_runtime.code.module import Namespace
    from node_runtime.code.module_table import ModuleTable
    from node_runtime.code.version import ManagedModule, Version

MAX_FOLLOWED: Final = 20
"""A name is followed through at most this many modules that only import it."""


class NameOrigin(NamedTuple):
    """A global variable of a module of the load, and the attributes of the variable that the dotted name reads."""

    module: str
    name: str
    attributes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ".".join([self.module, self.name, *self.attributes])


class NameOrigins:
    """The origins of names in the modules that a load of `versions` replaces."""

    def __init__(self, table: ModuleTable, versions: Iterable[tuple[ManagedModule, Version]]) -> None:
        self._table = table
        self._batch: dict[str, tuple[Namespace, Namespace]] = {
            managed.name: (managed.current.namespace, version.namespace)
            for managed, version in versions
            if managed.current is not None and managed.current is not version
        }

    def namespaces(self, module: str) -> tuple[Namespace, Namespace]:
        """Return the global variables of a module of the load, in the current version and in the new one."""
        return self._batch[module]

    def candidates(self, version: Version) -> frozenset[str]:
        """Return the global names of a version that its imports may have bound to objects of the batch."""
        own = {name.partition(".")[0] for name in self._table.modules}
        found = [entry for entry in version.imports.entries if entry.module.partition(".")[0] in own]
        names = {entry.alias.partition(".")[0] for entry in found}
        return frozenset(names | version.imports.names if "*" in names else names)

    def of(self, version: Version, dotted_name: tuple[str, ...]) -> NameOrigin | None:
        """Return the variable to which a dotted name in the code of `version` refers; None if not in the batch."""
        first, *rest = dotted_name
        thing = version.namespace.get(first)
        if not issubclass(type(thing), (ModuleType, HotModule)):
            return self._imported(version, first, rest)
        module = str(vars(thing).get("__name__", ""))
        while rest and f"{module}.{rest[0]}" in self._table.modules:
            module = f"{module}.{rest.pop(0)}"
        if not rest:
            return None
        if module in self._batch:
            return NameOrigin(module, rest[0], tuple(rest[1:]))
        managed = self._table.modules.get(module)
        return self._imported(managed.current, rest[0], rest[1:]) if managed and managed.current else None

    def _imported(self, version: Version, name: str, rest: list[str]) -> NameOrigin | None:
        for _ in range(MAX_FOLLOWED):
            entries = [entry for entry in version.imports.entries if entry.bound]
            found = next(((each.module, each.name) for each in entries if each.alias == name and each.name), None)
            if found is None and name not in version.imports.own:
                starred = (each.module for each in entries if each.name == "*")
                found = next(((each, name) for each in starred if name in (self._table.namespace(each) or ())), None)
            if found is None:
                return None
            if found[0] in self._batch:
                return NameOrigin(*found, tuple(rest))
            managed = self._table.modules.get(found[0])
            if managed is None or managed.current is None:
                return None
            version, name = managed.current, found[1]
        return None

"""Finds objects outside of a load that refer to functions and classes of replaced versions: a web application, say."""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

from node_runtime.code.classes.dependents import replaced_classes

from .code_in_containers import ObjectWalk, code_in, named_containers

if TYPE_CHECKING:
    from node_runtime.code.module_table import ModuleTable
    from node_runtime.code.version import ManagedModule, Version

MAX_OBJECTS: Final = 50_000
"""At most this many objects of an application are visited."""


class KeptCode:
    """The code that a load of `versions` replaces, and the objects that keep it."""

    def __init__(self, table: ModuleTable, versions: list[tuple[ManagedModule, Version]]) -> None:
        self._table = table
        self._loaded = {managed.name for managed, _ in versions}
        self._namespaces = {
            id(managed.current.namespace): managed.name
            for managed, version in versions
            if managed.current is not None and managed.current is not version
        }
        self._classes = {cls: title for cls, (title, _) in replaced_classes(versions).items()}

    def names_in(self, thing: Any) -> list[str]:
        """Return the names, such as "shop.items.add", of the replaced functions and classes that `thing` refers to."""
        found: dict[str, None] = {}
        for code in code_in(thing, limit=MAX_OBJECTS):
            if issubclass(type(code), FunctionType):
                module = self._namespaces.get(id(code.__globals__))
                if module is not None:
                    found[f"{module}.{code.__qualname__}"] = None
            elif code in self._classes:
                found[self._classes[code].replace(":", ".")] = None
        return list(found)

    def classes_of_instances_in(self, thing: Any) -> list[str]:
        """Return the names, such as "shop.items.Item", of the replaced classes of which `thing` has instances."""
        found: dict[str, None] = {}
        for one in ObjectWalk().objects_in(thing, ""):
            if type(one) in self._classes:
                found[self._classes[type(one)].replace(":", ".")] = None
        return list(found)

    def keepers(self) -> list[str]:
        """Return the loaded modules outside of the load whose own objects refer to replaced code."""
        found = []
        for managed in list(self._table.modules.values()):
            version = managed.current
            if version is None or managed.name in self._loaded:
                continue
            imported = {entry.alias for entry in version.imports.entries}
            values = [value for name, value in named_containers(version.namespace) if name not in imported]
            if any(self.names_in(value) for value in values):
                found.append(managed.name)
        return sorted(found)

"""Finds objects of replaced versions that modules outside a load would still use, because their bodies have kept them.

A commit rebinds the names that a module has imported. It does not change the objects that the module's body has made
with these names: default values of functions, attributes of classes, constants, tables, type aliases and type adapters.
These objects keep functions, classes, members of enumerations and sentinels of the replaced version until the module
is loaded again.
"""

from __future__ import annotations

import enum
import gc
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

from node_runtime.behaviours.show.raw_reads import module_of, name_of, package_of
from node_runtime.code.classes.dependents import own_classes
from node_runtime.code.import_rebinding import copied_aliases
from node_runtime.code.loading.annotation_rebinding import is_rebound
from node_runtime.code.loading.class_data import MISSING
from node_runtime.code.loading.code_in_containers import is_followed
from node_runtime.code.loading.function_data import UNWRAPPED, parts_of_function

if TYPE_CHECKING:
    from node_runtime.code.module import Namespace
    from node_runtime.code.module_table import ModuleTable
    from node_runtime.code.version import ManagedModule, Version

MAX_NAMED: Final = 3
"""A sentence names at most this many places of a module."""
MAX_VISITED: Final = 200_000
"""At most this many objects of a module are visited."""
_ENTANGLED: Final = frozenset({
    "_asyncio", "_frozen_importlib", "_frozen_importlib_external", "_io", "_socket", "_thread", "asyncio", "concurrent",
    "importlib", "io", "logging", "multiprocessing", "selectors", "socket", "subprocess", "threading", "zipimport",
})  # fmt: skip
"""Modules of the standard library whose objects, such as loggers and tasks, refer to too much to be followed."""
_FOLLOWED: Final = frozenset({"GenericAlias", "UnionType", "_GenericAlias", "_UnionGenericAlias", "Union"})
"""The names of the classes of type aliases, in the modules `types` and `typing`."""

_ITERATORS: Final = (map, filter, zip, enumerate)
_LIBRARIES: Final = sys.stdlib_module_names - {"builtins", "functools", "types", *_ENTANGLED}
"""The modules of the standard library whose objects are followed."""

_Place = tuple[str, Any, bool]
"""A place in a module, as a sentence names it; the value there; whether instances there adopt the new class."""


class StaleReferences:
    """The functions, classes, enum members and sentinels that a load replaces, and where other modules keep them.

    `replaced` are the replaced classes, each with its "module:Class" and the new class.
    """

    def __init__(
        self, table: ModuleTable, versions: Iterable[tuple[ManagedModule, Version]], replaced: Mapping[type, Any]
    ) -> None:
        self._table = table
        self._batch: dict[str, tuple[Namespace, Namespace]] = {}
        self._code: dict[int, str] = {id(cls): title.partition(":")[0] for cls, (title, _) in replaced.items()}
        for managed, version in versions:
            if managed.current is None or managed.current is version:
                continue
            before = managed.current.namespace
            self._batch[managed.name] = before, version.namespace
            for name, value in before.items():
                if type(value) is object and version.namespace.get(name) is not value:
                    self._code[id(value)] = managed.name

    def sentences(self, outside: Iterable[tuple[str, Version]]) -> Iterator[str]:
        """Yield a sentence for each module outside the load that keeps replaced code of a module that it imports."""
        for module, version in outside:
            origins = self._imported_from(version)
            if not origins:
                continue
            found: dict[str, dict[str, None]] = {}
            seen: set[int] = set()
            for label, value, is_adopted in self._places(module, version):
                for origin in self._origins(value, is_adopted, seen):
                    if origin in origins:
                        found.setdefault(origin, {})[label] = None
            for origin, labels in found.items():
                named = list(labels)
                more = f" and {len(named) - MAX_NAMED:,} more" if len(named) > MAX_NAMED else ""
                yield (
                    f"{module} keeps the replaced version of {origin} in {', '.join(named[:MAX_NAMED])}{more}, and "
                    f"uses it until {module} is loaded again: let the appup load {module} too."
                )

    def keeps(self, version: Version, origin: str) -> bool:
        """Return whether `sentences` reports that the module of `version` keeps code of the module `origin`.

        False if the module doesn't import `origin`, directly or through other modules: then the module's body can't
        have kept the code.
        """
        return origin in self._imported_from(version)

    def _imported_from(self, version: Version) -> set[str]:
        """Return the modules of the load that a module imports, directly or through other modules."""
        found: set[str] = set()
        waiting = [version]
        seen = {id(version)}
        while waiting:
            entries = [entry for entry in waiting.pop().imports.entries if entry.bound]
            names = {entry.module for entry in entries} | {f"{one.module}.{one.name}" for one in entries}
            for name in names:
                if name in self._batch:
                    found.add(name)
                managed = self._table.modules.get(name)
                if managed is not None and managed.current is not None and id(managed.current) not in seen:
                    seen.add(id(managed.current))
                    waiting.append(managed.current)
        return found

    def _places(self, module: str, version: Version) -> Iterator[_Place]:
        """Yield the places in which the body of a module may have kept replaced code."""
        namespace = version.namespace
        imported = copied_aliases(version, self._table)
        starred = [self._table.namespace(one.module) or {} for one in version.imports.entries if one.name == "*"]
        for name, value in list(namespace.items()):
            is_copied = name in imported or any(one.get(name, MISSING) is value for one in starred)
            if type(value) is FunctionType and not is_copied:
                yield from _in_function(name, value)
            elif not is_copied and not name.startswith("__") and not is_rebound(value):
                yield name, value, True
        for name, cls in own_classes(module, namespace):
            for attribute, value in list(vars(cls).items()):
                member = getattr(value, UNWRAPPED[type(value)]) if type(value) in UNWRAPPED else value
                if type(member) is FunctionType:
                    yield from _in_function(f"{name}.{attribute}", member)
                elif not attribute.startswith("__"):
                    yield f"{name}.{attribute}", member, False

    def _origins(self, value: Any, is_adopted: bool, seen: set[int]) -> Iterator[str]:
        """Yield the modules whose replaced code a value is, refers to, or is an instance of.

        If `is_adopted` is true, instances adopt the new class, so they don't count. Members of enumerations do count.
        """
        waiting = deque([value])
        while waiting and len(seen) < MAX_VISITED:
            thing = waiting.popleft()
            kind = type(thing)
            origin = self.origin(thing)
            if origin is None and (issubclass(kind, enum.Enum) or not is_adopted):
                origin = self.origin(kind)
            if origin is not None:
                yield origin
                continue
            if id(thing) in seen or issubclass(kind, type):
                continue
            seen.add(id(thing))
            if kind is FunctionType:
                waiting.extend(part.value for part in parts_of_function("", thing))
            elif is_followed(thing) or _is_alias(kind) or _is_library_object(thing):
                annotations = thing.get("__annotations__") if kind is dict else None  # the commit changes them
                waiting.extend(part for part in gc.get_referents(thing) if part is not kind and part is not annotations)

    def origin(self, thing: Any) -> str | None:
        """Return the module of a function, class or sentinel that this or an earlier load has replaced; else None."""
        if type(thing) is FunctionType:
            module = thing.__globals__.get("__name__")
            is_replaced = module in self._batch and thing.__globals__ is not self._batch[module][1]
            return module if is_replaced else None
        if issubclass(type(thing), type):
            module, name = module_of(thing), name_of(thing)
            before, after = self._batch.get(module or "", ({}, {}))
            if issubclass(type(before.get(name)), type) and after.get(name) is not thing:
                return module
        return self._code.get(id(thing))


def _in_function(function: str, value: FunctionType) -> Iterator[_Place]:
    """Yield the default values of a function, and the variables of its closure."""
    for held in parts_of_function(function, value):
        _, default, argument = held.name.partition(f"{function}.<defaults>.")
        yield f"the default value of {argument} in {function}" if default else function, held.value, False


def _is_library_object(thing: Any) -> bool:
    """Return whether `thing` is an object of the standard library that may refer to code, such as a `JSONEncoder`."""
    kind = type(thing)
    top = package_of(kind)
    return kind in _ITERATORS or (top in _LIBRARIES and not isinstance(thing, BaseException))


def _is_alias(kind: type) -> bool:
    return kind.__module__ in ("types", "typing") and kind.__name__ in _FOLLOWED

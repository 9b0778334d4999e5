"""Finds the objects that a module makes in its body for their identity, such as `UNSET = object()`.

New code compares a value with the object of its own version. So if a state holds such an object, it must become the
object that has the same name in the new version. A module's type variables and named types are such objects, too.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from node_runtime.behaviours.show.raw_reads import module_of, mro_of, name_of, namespace_of

from .layouts import Layout, base_of

Namespaces: TypeAlias = Mapping[str, Mapping[str, Any]]
MISSING: Final = object()
"""The successor of an object whose name the new version lacks."""
_NAMED_TYPES: Final[tuple[Any, ...]] = tuple(
    getattr(typing, name)
    for name in ("NewType", "TypeVar", "ParamSpec", "TypeVarTuple", "TypeAliasType")
    if hasattr(typing, name)  # type aliases have a class of their own since Python 3.12
)
_PLAIN: Final = (type(None), bool, int, float, str, bytes)


@dataclass(frozen=True, slots=True)
class NamedObject:
    """The objects that one global variable has in the old and in the new version of its module."""

    value: Any
    successor: Any
    module: str
    name: str

    @property
    def label(self) -> str:
        """The "module:name" of the variable."""
        return f"{self.module}:{self.name}"


def named_objects(before: Namespaces, after: Namespaces) -> dict[int, NamedObject]:
    """Return, by `id`, the objects of the old versions that are used only for identity, as in `UNSET = object()`.

    These are plain `object()`s, type variables, `NewType`s and type aliases. An instance of one of the module's classes
    is among them if its class has no `__eq__`, and if it has no attributes, or the same plain attributes in both
    versions.
    """
    found: dict[int, NamedObject] = {}
    for module, namespace in before.items():
        later = after.get(module, {})
        for name, value in namespace.items():
            new = later.get(name, MISSING)
            if new is not value and not name.startswith("__") and _stands_for_itself(value, new, module):
                found[id(value)] = NamedObject(value, new, module, name)
    return found


def _stands_for_itself(value: Any, new: Any, module: str) -> bool:
    cls = type(value)
    if cls is object:
        return new is MISSING or type(new) is object
    if any(cls is one for one in _NAMED_TYPES):
        return value.__module__ == module and (new is MISSING or type(new) is cls)
    if module_of(cls) != module or (module_of(type(new)), name_of(type(new))) != (module, name_of(cls)):
        return False
    base = base_of(cls)
    has_equality = any("__eq__" in namespace_of(one) for one in mro_of(cls) if one is not object)
    if base is None or base.cls is not object or has_equality:
        return False
    mine, others = Layout(cls).read(value), Layout(type(new)).read(new)
    return all(type(one) in _PLAIN for one in (*mine.values(), *others.values())) and mine == others

"""Classes that stay the same object across a load: dataclasses, enumerations, exceptions and named tuples.

The rule stands in docs/code-server.md. A class that is carried over takes, when its version becomes current, the
functions that the new body made for it: its face. So it never keeps an old namespace alive, its tracebacks show the
new file, and it can be given its old face back.
"""

from __future__ import annotations

import abc
import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeGuard

from .definition_equality import DIFFERENT, NEW, Comparison, same_plain
from .definitions import Definitions, resolve

if TYPE_CHECKING:
    from node_runtime.code.module import Namespace

Face = dict[str, Any]
"""The attributes of a class that belong to one version."""
Look = tuple[type, str, Any]
"""One of them."""

_PURE = frozenset({"dataclasses", "enum", "functools", "typing", "typing_extensions", "collections"})
"""Decorators and makers of classes from here do nothing that can't be seen on the class."""
_HOOKS = frozenset({"builtins", "enum", "typing", "typing_extensions"})
_METACLASSES = (type, enum.EnumType, abc.ABCMeta)
_OF_THE_OBJECT = frozenset({
    "__dict__", "__weakref__", "_abc_impl", "__static_attributes__", "__annotations_cache__",
    "__slotnames__", "__msgspec_cache__",  # what copyreg and msgspec remember on a class
    # What an enumeration looks its members up in. Members are compared one by one; composite flags come later.
    "_member_map_", "_value2member_map_", "_hashable_values_", "_unhashable_values_", "_unhashable_values_map_",
})  # fmt: skip
_OF_THE_FILE = "__firstlineno__"


def is_candidate(cls: object, module: str, name: str) -> TypeGuard[type]:
    """A class of a kind that is carried over, defined at the top of `module` under `name`."""
    if not isinstance(cls, type) or type(cls) not in _METACLASSES:
        return False
    if (cls.__module__, cls.__qualname__) != (module, name):
        return False
    return (
        "__dataclass_fields__" in vars(cls)
        or isinstance(cls, enum.EnumType)
        or issubclass(cls, BaseException)
        or (issubclass(cls, tuple) and "_fields" in vars(cls))
    )


def unchanged(
    name: str, classes: tuple[type, type], namespaces: tuple[Namespace, Namespace], definitions: Definitions
) -> Face | None:
    """The new face of an old class if the new class is the same; None if it is another one.

    `classes` and `namespaces` are the old and the new ones.
    """
    old, new = classes
    if type(old) is not type(new) or old.__bases__ != new.__bases__ or _is_announced(new):
        return None
    if (
        definitions.bound.get(name) != 1
        or name in definitions.altered
        or not _is_plainly_made(name, namespaces[1], definitions)
    ):
        return None
    comparison = Comparison(*namespaces, definitions, classes)
    face = _new_face(old, new, comparison)
    if face is not None:
        for cell, content in comparison.cells:
            cell.cell_contents = content
    return face


wear: Callable[[type, str, Any], None] = type.__setattr__
"""Gives a class an attribute of a version, whatever its metaclass says of assignments."""


def _new_face(old: type, new: type, comparison: Comparison) -> Face | None:
    before, after = _compared(old), _compared(new)
    if before.keys() != after.keys() or not _same_members(old, new, comparison):
        return None
    line = vars(new).get(_OF_THE_FILE)
    face = {} if line == vars(old).get(_OF_THE_FILE) else {_OF_THE_FILE: line}
    for name, value in after.items():
        likeness = comparison.likeness(before[name], value)
        if likeness is DIFFERENT:
            return None
        if likeness is NEW:
            face[name] = value
    return face


def _compared(cls: type) -> dict[str, Any]:
    return {name: value for name, value in vars(cls).items() if name not in _OF_THE_OBJECT and name != _OF_THE_FILE}


def _same_members(old: type, new: type, comparison: Comparison) -> bool:
    if not (issubclass(old, enum.Enum) and issubclass(new, enum.Enum)):
        return True
    before, after = old.__members__, new.__members__
    if [(key, member.name) for key, member in before.items()] != [(key, member.name) for key, member in after.items()]:
        return False
    for was, now in zip(before.values(), after.values(), strict=True):
        known, made = _state(was), _state(now)
        if known.keys() != made.keys() or any(
            comparison.likeness(known[key], made[key]) in (DIFFERENT, NEW) for key in made
        ):
            return False
    return True


def _state(member: enum.Enum) -> dict[str, Any]:
    return {key: value for key, value in vars(member).items() if key != "_inverted_"}


def _is_announced(cls: type) -> bool:
    """A class that it is based on gets to know of it, and may have kept the new class."""
    owner = next(base for base in cls.__mro__[1:] if "__init_subclass__" in vars(base))
    return owner.__module__ not in _HOOKS


def _is_plainly_made(name: str, namespace: Namespace, definitions: Definitions) -> bool:
    """Nobody but the standard library's decorators and makers has had it in hand."""
    if name not in definitions.makers:
        return False
    made = (resolve(chain, namespace) for chain in definitions.makers[name])
    return all(same_plain(value, value) or getattr(value, "__module__", None) in _PURE for value in made)

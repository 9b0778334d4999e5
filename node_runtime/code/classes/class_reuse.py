"""Reuse of unchanged classes across a load, so that existing objects keep their class.

The rule is in docs/module-data.md. When the new version becomes current, a reused class gets the
functions and other attributes that the new body has made. So the class never keeps an old namespace
alive, and its tracebacks show the new file. A revert gives the class its old attributes again.
"""

from __future__ import annotations

import abc
import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeGuard

from . import library_classes
from .definition_equality import DIFFERENT, KEEP_NEW, DefinitionComparison, same_plain
from .definitions import Definitions, resolve_dotted_name
from .structs import is_struct

if TYPE_CHECKING:
    from node_runtime.code.module import Namespace

VersionAttributes = dict[str, Any]
"""The attributes that a reused class has while one version is current."""
ClassAttribute = tuple[type, str, Any]
"""A class, the name of one of its attributes, and the value of this attribute."""

_PURE_MODULES = frozenset({
    "dataclasses", "enum", "functools", "typing", "typing_extensions", "collections", "attr._make", "attr._next_gen",
})  # fmt: skip
"""Modules whose class decorators and factories change only the class."""
_HARMLESS_HOOKS = frozenset({"builtins", "enum", "typing", "typing_extensions"})
_METACLASSES = (type, enum.EnumType, abc.ABCMeta)
_NOT_COMPARED = frozenset({
    "__dict__", "__weakref__", "_abc_impl", "__static_attributes__", "__annotations_cache__",
    "__slotnames__", "__msgspec_cache__",  # caches of copyreg and msgspec
    # The look-up tables of an enumeration. Members are compared one by one; composite flags are added later.
    "_member_map_", "_value2member_map_", "_hashable_values_", "_unhashable_values_", "_unhashable_values_map_",
})  # fmt: skip
_LINE_NUMBER = "__firstlineno__"


def is_reusable_kind(cls: Any, module: str, name: str) -> TypeGuard[type]:
    """Return whether `cls` is defined at the top level of `module` under `name`, and of a kind that can be reused.

    These kinds can be reused: classes without a metaclass of their own, enumerations, models of pydantic, and structs
    of msgspec. An abstract class can be reused only if it is a dataclass or an exception. A class with a property
    `__class__`, as proxies have, can't be reused: such an attribute can't be set later.
    """
    if not issubclass(type(cls), type) or (cls.__module__, cls.__qualname__) != (module, name):
        return False
    if "__class__" in vars(cls):
        return False
    if type(cls) is abc.ABCMeta:
        return "__dataclass_fields__" in vars(cls) or issubclass(cls, BaseException)
    return type(cls) in _METACLASSES or library_classes.is_pydantic_model(cls) or is_struct(cls)


def reusable_attributes(
    name: str, classes: tuple[type, type], namespaces: tuple[Namespace, Namespace], definitions: Definitions
) -> VersionAttributes | None:
    """Return the attributes that the old class takes from the new class; None if the old class can't be reused.

    `classes` has the old and the new class, `namespaces` the old and the new namespace. A class can't be reused if its
    definition has changed, for example. If the class can be reused, this function also changes the closures of the new
    functions: a closure that refers to the new class, such as that of `super()`, refers to the old class afterwards.
    """
    old, new = classes
    if type(old) is not type(new) or old.__bases__ != new.__bases__ or _has_subclass_hook(new):
        return None
    if (
        definitions.bound.get(name) != 1
        or name in definitions.attribute_targets
        or not _is_made_by_standard_library(name, namespaces[1], definitions)
    ):
        return None
    comparison = DefinitionComparison(*namespaces, definitions, classes)
    attributes = _new_attributes(old, new, comparison)
    if attributes is not None:
        for cell, content in comparison.cells:
            cell.cell_contents = content
    return attributes


set_class_attribute: Callable[[type, str, Any], None] = type.__setattr__
"""Sets an attribute of a class, even if its metaclass refuses assignments."""


def _new_attributes(old: type, new: type, comparison: DefinitionComparison) -> VersionAttributes | None:
    before, after = _compared_attributes(old), _compared_attributes(new)
    if before.keys() != after.keys() or not _same_members(old, new, comparison):
        return None
    declared = library_classes.declared_parts(old, new)
    if declared is None or comparison.compare_all(*declared) is DIFFERENT:
        return None
    line = vars(new).get(_LINE_NUMBER)
    attributes = {} if line == vars(old).get(_LINE_NUMBER) else {_LINE_NUMBER: line}
    for name, value in after.items():
        result = comparison.compare(before[name], value)
        if result is DIFFERENT:
            return None
        if result is KEEP_NEW:
            attributes[name] = value
    return attributes | _rebuilt_class(new) | library_classes.taken_attributes(new)


def _rebuilt_class(new: type) -> VersionAttributes:
    """Return {"__weakref__": descriptor} if this descriptor of `new` belongs to another class; else {}.

    Before Python 3.11.3, `dataclass(slots=True)` leaves the attribute of an abandoned class there (gh-102069). This
    attribute keeps a namespace in memory.
    """
    descriptor = vars(new).get("__weakref__")
    return {} if getattr(descriptor, "__objclass__", new) is new else {"__weakref__": descriptor}


def _compared_attributes(cls: type) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(cls).items()
        if name not in _NOT_COMPARED and name != _LINE_NUMBER and not library_classes.is_derived(cls, name, value)
    }


def _same_members(old: type, new: type, comparison: DefinitionComparison) -> bool:
    if not (issubclass(old, enum.Enum) and issubclass(new, enum.Enum)):
        return True
    before, after = old.__members__, new.__members__
    if [(key, member.name) for key, member in before.items()] != [(key, member.name) for key, member in after.items()]:
        return False
    for was, now in zip(before.values(), after.values(), strict=True):
        known, made = _member_attributes(was), _member_attributes(now)
        if known.keys() != made.keys() or any(
            comparison.compare(known[key], made[key]) in (DIFFERENT, KEEP_NEW) for key in made
        ):
            return False
    return True


def _member_attributes(member: enum.Enum) -> dict[str, Any]:
    return {key: value for key, value in vars(member).items() if key != "_inverted_"}


def _has_subclass_hook(cls: type) -> bool:
    """Return whether a base class has an `__init_subclass__`, which may have stored the new class somewhere."""
    owner = next(base for base in cls.__mro__[1:] if "__init_subclass__" in vars(base))
    return owner.__module__ not in _HARMLESS_HOOKS


def _is_made_by_standard_library(name: str, namespace: Namespace, definitions: Definitions) -> bool:
    """Return whether only decorators and factories of the standard library were applied to the class."""
    if name not in definitions.makers:
        return False
    made = (resolve_dotted_name(chain, namespace) for chain in definitions.makers[name])
    return all(same_plain(value, value) or getattr(value, "__module__", None) in _PURE_MODULES for value in made)

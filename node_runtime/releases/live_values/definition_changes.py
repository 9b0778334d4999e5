"""The differences between the definitions of a class in two releases: fields, or the members of an enumeration."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from node_runtime.behaviours.show.raw_reads import mro_of, namespace_of

MAX_NAMES: Final = 10
"""At most this many names of each kind are listed."""


class DefinitionChanges(msgspec.Struct, frozen=True):
    """The names of the fields or members that are added, are removed, or have another type or value."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def definition_changes(old: type[Any], new: type[Any] | None) -> DefinitionChanges:
    """Return how the fields or members of a class change. `new` is None if the class is removed."""
    if new is None:
        return DefinitionChanges()
    before, after = _parts(old), _parts(new)
    return DefinitionChanges(
        _names(name for name in after if name not in before),
        _names(name for name in before if name not in after),
        _names(name for name in before if name in after and before[name] != after[name]),
    )


def _names(names: Any) -> tuple[str, ...]:
    return tuple(names)[:MAX_NAMES]


def _parts(cls: type[Any]) -> Mapping[str, str]:
    """Return the fields of a class with their types, or the members of an enumeration with their values, as text."""
    if issubclass(cls, enum.Enum):
        return {str(name): _plain(member._value_) for name, member in cls._member_map_.items()}
    for base in mro_of(cls):
        fields = _fields(namespace_of(base))
        if fields is not None:
            return {str(name): _type(annotation) for name, annotation in fields.items()}
    return {}


def _fields(own: Mapping[str, Any]) -> dict[Any, Any] | None:
    """Return the fields that a class declares, with their annotations; None for a class without declared fields."""
    if isinstance(fields := own.get("__dataclass_fields__"), dict):
        return {name: field.type for name, field in fields.items()}
    if isinstance(attributes := own.get("__attrs_attrs__"), tuple):
        return {field.name: field.type for field in attributes}
    if isinstance(models := own.get("__pydantic_fields__") or own.get("model_fields"), dict):
        return {name: field.annotation for name, field in models.items()}
    if isinstance(names := own.get("__struct_fields__") or own.get("_fields"), tuple):
        known = own.get("__annotations__")
        return {name: known.get(name) if isinstance(known, dict) else None for name in names}
    return None


def _type(annotation: object) -> str:
    """Return a type as text: a class by its qualified name, so that two versions of a class are equal."""
    return (
        annotation.__qualname__
        if isinstance(annotation, type) and not hasattr(annotation, "__args__")
        else str(annotation)
    )


def _plain(value: object) -> str:
    return repr(value) if type(value) in (str, int, float, bool, bytes, type(None)) else ""

"""Makes plain values of states, so that states of different versions of a class can be compared and converted."""

from __future__ import annotations

import copy
import dataclasses
import enum
import sys
from collections import deque
from collections.abc import Mapping
from typing import Any

MISSING = object()


def plain(value: Any) -> Any:
    """Return the value with each object as the dict of its fields, and each enum member as its name.

    Lists, tuples, sets and dicts keep their types. But the dict of an object can't be in a set, and can't be a key of a
    dict. So a set of objects becomes a sorted list, and an object that is a key becomes the text of its dict. Any other
    value is returned unchanged.
    """
    if isinstance(value, enum.Enum):
        return value.name
    if type(value) in (list, tuple, deque):
        return type(value)(plain(each) for each in value)
    if type(value) in (set, frozenset):
        members = [plain(each) for each in value]
        return type(value)(members) if all(map(_is_hashable, members)) else sorted(members, key=repr)
    if type(value) is dict:
        keys = {key: plain(key) for key in value}
        return {made if _is_hashable(made) else repr(made): plain(value[key]) for key, made in keys.items()}
    found = fields(value)
    return value if found is None else {name: plain(each) for name, each in found.items()}


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def fields(value: Any) -> dict[str, Any] | None:
    """Return the fields of an object, by name.

    None for a class, an enum member, an instance of a built-in type, and an object without fields. A dataclass without
    fields has an empty result.
    """
    cls = type(value)
    if cls.__module__ == "builtins" or isinstance(value, type | enum.Enum):
        return None
    if hasattr(value, "_asdict"):
        return dict(value._asdict())
    names: list[str] = []
    for base in reversed(cls.__mro__):
        slots = vars(base).get("__slots__", ())
        names += [slots] if isinstance(slots, str) else slots
    own = {name: getattr(value, name) for name in names if hasattr(value, name) and not name.startswith("__")}
    own |= getattr(value, "__dict__", {})
    return own if own or dataclasses.is_dataclass(value) else None


def moved(value: Any) -> Any:
    """Copy a value that the test has made, and replace the test's classes by the node's classes of the same names.

    Raises LookupError for a class or a member that the node lacks, and ValueError for a field that its class lacks.
    """
    if isinstance(value, enum.Enum):
        return _class(type(value))[value.name]
    if type(value) in (list, tuple, deque, set, frozenset):
        return type(value)(moved(each) for each in value)
    if type(value) is dict:
        return {moved(key): moved(each) for key, each in value.items()}
    return _moved_object(value)


def _moved_object(value: Any) -> Any:
    found = fields(value)
    cls = type(value) if found is None else _class(type(value))
    if found is None or cls is type(value):
        return copy.deepcopy(value)
    if hasattr(value, "_asdict"):
        return cls(**{name: moved(each) for name, each in found.items()})
    return _filled(cls, found, _defaults(type(value)))


def with_fields(value: Any, given: Mapping[str, Any]) -> Any:
    """Return a copy of an object in which the given fields have other values.

    Raises ValueError for an unknown field.
    """
    made = copy.copy(value)
    known = {*(fields(value) or {}), *(_defaults(type(value)))}
    for name, each in given.items():
        if name not in known:
            raise ValueError(f"{type(value).__qualname__} of the old release has no field {name}")
        object.__setattr__(made, name, moved(each))
    return made


def _filled(cls: type, found: Mapping[str, Any], defaults: Mapping[str, Any]) -> Any:
    """Return an object of the node's class `cls` with the fields `found` of an object of the test's class.

    `defaults` are those of the test's class. Raises ValueError for a field of that class alone that isn't at its
    default, and for a missing field without a default.
    """
    made: Any = object.__new__(cls)
    known = _defaults(cls) if dataclasses.is_dataclass(cls) else dict.fromkeys(found, MISSING)
    for name, each in found.items():
        if name in known:
            object.__setattr__(made, name, moved(each))
        elif defaults.get(name, MISSING) != each:  # a new field with its default is not a part of the old state
            raise ValueError(f"{cls.__qualname__} of the old release has no field {name}")
    for name in known.keys() - found.keys():
        if known[name] is MISSING:
            raise ValueError(f"{cls.__qualname__} of the old release has a field {name}, which the given state lacks")
        object.__setattr__(made, name, known[name])
    return made


def _defaults(cls: type) -> dict[str, Any]:
    """Return the fields of a dataclass with their defaults; a field without a default has MISSING."""
    made: dict[str, Any] = {}
    for field in dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ():
        if field.default_factory is not dataclasses.MISSING:
            made[field.name] = field.default_factory()
        else:
            made[field.name] = MISSING if field.default is dataclasses.MISSING else field.default
    return made


def _class(cls: type) -> Any:
    """Return the node's class that has the name of `cls`. Raises LookupError."""
    found: Any = sys.modules.get(cls.__module__)
    for name in cls.__qualname__.split("."):
        found = getattr(found, name, None)
    if not isinstance(found, type):
        raise LookupError(f"the old release has no class {cls.__module__}.{cls.__qualname__}")
    return found

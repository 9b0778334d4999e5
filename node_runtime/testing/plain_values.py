"""Makes plain values of states, and compares the states of different versions of a class."""

from __future__ import annotations

import dataclasses
import enum
from collections import deque
from typing import Any


class FieldValues(dict[str, Any]):
    """The fields of an object by name. A comparison can tell this class from a dict in the state."""


class SetOfFields(list[Any]):
    """The members of a set of objects. Their order has no meaning."""


class FieldsText(str):
    """The text of an object that is the key of a dict. `fields` are the object's fields."""

    def __new__(cls, fields: FieldValues) -> FieldsText:
        made = super().__new__(cls, repr(fields))
        made.fields = fields
        return made

    fields: FieldValues


def plain(value: Any) -> Any:
    """Return the value with each object as the dict of its fields, and each enum member as its name.

    Lists, tuples, sets and dicts keep their types. The dict of an object can't be in a set, and can't be a key of a
    dict. Therefore a set of objects becomes a sorted list, and an object that is a key becomes the text of its dict.
    Any other value is returned unchanged.
    """
    if isinstance(value, enum.Enum):
        return value.name
    if type(value) in (list, tuple, deque):
        return type(value)(plain(each) for each in value)
    if type(value) in (set, frozenset):
        members = [plain(each) for each in value]
        return type(value)(members) if all(map(_is_hashable, members)) else SetOfFields(sorted(members, key=repr))
    if type(value) is dict:
        keys = {key: plain(key) for key in value}
        return {_plain_key(made): plain(value[key]) for key, made in keys.items()}
    found = fields(value)
    return value if found is None else FieldValues({name: plain(each) for name, each in found.items()})


def _plain_key(key: Any) -> Any:
    if isinstance(key, FieldValues):
        return FieldsText(key)
    return key if _is_hashable(key) else repr(key)


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


def keeps(after: Any, before: Any) -> bool:
    """Return whether one plain value has the data of another.

    Of two objects, also in containers, only the fields that both have must be equal.
    """
    if type(before) is not type(after):
        return bool(after == before)
    if isinstance(before, dict):
        return _keeps_dict(after, before)
    if isinstance(before, SetOfFields):
        return _keeps_in_any_order(after, before)
    if isinstance(before, list | tuple | deque):
        return len(before) == len(after) and all(map(keeps, after, before))
    return bool(after == before)


def _keeps_dict(after: dict[Any, Any], before: dict[Any, Any]) -> bool:
    if isinstance(before, FieldValues):
        return all(keeps(after[name], before[name]) for name in before.keys() & after.keys())
    if any(isinstance(key, FieldsText) for key in before):
        return _keeps_in_any_order(_pairs(after), _pairs(before))
    return before.keys() == after.keys() and all(keeps(after[key], before[key]) for key in before)


def _pairs(value: dict[Any, Any]) -> list[Any]:
    return [(key.fields if isinstance(key, FieldsText) else key, each) for key, each in value.items()]


def _keeps_in_any_order(after: list[Any], before: list[Any]) -> bool:
    left = list(after)
    for wanted in before:
        found = next((number for number, each in enumerate(left) if keeps(each, wanted)), None)
        if found is None:
            return False
        del left[found]
    return not left

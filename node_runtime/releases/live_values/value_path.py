"""Paths to values inside a state, such as `.items[3].status`. A path is found without running code of the values."""

from __future__ import annotations

import functools
from types import FunctionType
from typing import Any, Final

from node_runtime.behaviours.show.key_text import key_text
from node_runtime.behaviours.show.raw_reads import dict_descriptor, field_names, raw_attributes, short_text, slots_of
from node_runtime.releases.migration.hidden_parts import ZONED, is_weak, target_of, zone_of

from .value_search import Trail

MAX_SHOWN_STEPS: Final = 12
"""A longer path is shortened in the middle."""
MAX_SEARCHED_PARTS: Final = 100_000
"""A container with more parts is not searched for a value: the path shows `UNKNOWN_PLACE`."""
UNKNOWN_PLACE: Final = "[…]"


def path_to(value: Any, trail: Trail) -> str:
    """Return the path from the root to `value`; "" for the root.

    `trail` has the objects from `value` up to the root, and then the object or list that contains the root.
    """
    objects = [value]
    while trail is not None:
        part, trail = trail
        objects.append(part)
    objects.reverse()
    del objects[0]
    steps: list[str] = []
    at = 0
    while at + 1 < len(objects):
        holder, part = objects[at], objects[at + 1]
        attributes = _own_attributes(holder)
        if attributes is not None and attributes is part and at + 2 < len(objects):
            steps.append(_attribute(attributes, objects[at + 2]) or UNKNOWN_PLACE)
            at += 2
        else:
            steps.append(_step(holder, attributes, part))
            at += 1
    if len(steps) > MAX_SHOWN_STEPS:
        half = MAX_SHOWN_STEPS // 2
        steps[half:-half] = ["…"]
    return "".join(steps)


def _step(holder: Any, attributes: dict[Any, Any] | None, part: Any) -> str:
    """Return the step from an object to one of its parts, such as ".name" or "[3]"."""
    found = _item_step(holder, part)
    if found is None and attributes is not None:
        found = _attribute(attributes, part)
    return found or _slot(holder, part) or UNKNOWN_PLACE


def _item_step(holder: Any, part: Any) -> str | None:
    """Return the step to an item of a container, or to a part of a function; None if `part` is neither."""
    cls = type(holder)
    if issubclass(cls, tuple):
        number, names = _index(tuple.__iter__(holder), tuple.__len__(holder), part), field_names(cls)
        if number is not None:
            return f".{short_text(names[number])}" if len(names) == tuple.__len__(holder) else f"[{number}]"
    elif issubclass(cls, list):
        number = _index(list.__iter__(holder), list.__len__(holder), part)
        return None if number is None else f"[{number}]"
    elif issubclass(cls, dict):
        return _key_step(holder, part)
    else:
        return _hidden_step(holder, part, cls)
    return None


def _hidden_step(holder: Any, part: Any, cls: type[Any]) -> str | None:
    """Return the step to a part that is neither an item nor an attribute, such as ".tzinfo"; else None."""
    if cls is functools.partial:
        return f".{'func' if holder.func is part else 'args' if holder.args is part else 'keywords'}"
    if cls is FunctionType:
        return _of_function(holder, part)
    if is_weak(cls) and target_of(holder) is part:
        return "()"
    return ".tzinfo" if issubclass(cls, ZONED) and zone_of(holder) is part else None


def _key_step(holder: dict[Any, Any], part: Any) -> str | None:
    if dict.__len__(holder) <= MAX_SEARCHED_PARTS:
        for key, value in dict.items(holder):
            if value is part:
                return f"[{key_text(key) or '…'}]"
            if key is part:
                return "[key]"
    return None


def _slot(holder: Any, part: Any) -> str | None:
    for name, get in slots_of(type(holder)):
        try:
            if get(holder) is part:
                return f".{short_text(name)}"
        except (AttributeError, TypeError):
            continue
    return None


def _of_function(function: FunctionType, part: Any) -> str:
    return ".__defaults__" if function.__defaults__ is part else ".__closure__" if function.__closure__ is part else ""


def _own_attributes(value: Any) -> dict[Any, Any] | None:
    descriptor = dict_descriptor(type(value))
    return None if descriptor is None else raw_attributes(descriptor, value)


def _attribute(attributes: dict[Any, Any], part: Any) -> str | None:
    if dict.__len__(attributes) <= MAX_SEARCHED_PARTS:
        for name, value in dict.items(attributes):
            if value is part:
                return f".{short_text(name)}"
    return None


def _index(parts: Any, length: int, part: Any) -> int | None:
    if length > MAX_SEARCHED_PARTS:
        return None
    return next((number for number, each in enumerate(parts) if each is part), None)

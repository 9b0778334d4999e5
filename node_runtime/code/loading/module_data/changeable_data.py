"""Tells cached results that new code computes again from cached objects that a program may have changed.

A cache of `functools`, or a cached property, may keep the only instance of a class, such as a store of sessions. What
the program has put into it is lost if a new instance is made.
"""

from __future__ import annotations

import enum
import functools
import gc
import sqlite3
import sys
import weakref
from collections.abc import Iterator
from types import MappingProxyType, MethodType, SimpleNamespace
from typing import Any, Final

from node_runtime.behaviours.show.raw_reads import package_of
from node_runtime.code.classes.frozen_classes import is_frozen
from node_runtime.code.loading.class_data import MISSING
from node_runtime.code.loading.function_data import CACHE

from .made_on_use import cached_properties
from .value_parts import CODE, MAX_PARTS, PLAIN, attributes, entries, is_waited_for, parts, parts_by_label

_OF_VALUES: Final = frozenset({
    "datetime", "decimal", "_decimal", "fractions", "ipaddress", "operator", "pathlib", "re", "_struct", "uuid",
    "zoneinfo",
})  # fmt: skip
"""Modules of the standard library whose instances never change."""
_WITHOUT_DATA: Final = frozenset({"_thread", "logging", "threading", "asyncio.locks"})
"""Modules of the standard library whose instances hold no data: locks, events and loggers."""
_CONSTANTS: Final = (*CODE, weakref.ref, range, slice, type(Ellipsis), type(NotImplemented))


def data_by_label(value: Any) -> dict[Any, Any]:
    """Return the parts of an object by label, without cached results that the new code computes again."""
    cached = {f".{name}" for name in cached_properties(type(value))}
    return {
        label: part
        for label, part in parts_by_label(value)
        if not (type(value) is CACHE or label in cached) or changeable_object(part) is not MISSING
    }


def changeable_object(value: Any) -> Any:
    """Return an object with data that a program may have changed since `value` was made: `value` or a part of it.

    Return MISSING if there is none. Nothing can change a number, a tuple of numbers or an instance of a frozen class,
    and an empty list has no data. The items of a list, and the attributes of an instance, may have been changed.
    """
    waiting, seen = [(value, MISSING)], set[tuple[int, int]]()
    while waiting:
        one, holder = waiting.pop()  # the holder is the outermost changeable object that `one` is a part of
        if (id(one), id(holder)) in seen:
            continue
        seen.add((id(one), id(holder)))
        outermost = one if holder is MISSING else holder
        if issubclass(type(one), (*PLAIN, enum.Enum)) or package_of(type(one)) in _OF_VALUES:
            if holder is not MISSING and not (issubclass(type(one), PLAIN) and one in (None, "", b"")):
                return holder
        elif (same := _unchangeable_parts(one)) is not None:
            waiting += ((part, holder) for part in same)
        elif len(seen) > MAX_PARTS or _is_filled(one):
            return outermost
        elif not _is_of_library(type(one)):
            waiting += ((part, outermost) for part in data_by_label(one).values())
    return MISSING


def _is_filled(value: Any) -> bool:
    """Return whether a changeable object holds data, apart from its attributes."""
    kind: Any = type(value)
    if issubclass(type(value), sqlite3.Connection):
        return unsaved_rows(value) > 0
    number = entries(value)
    if number is not None or attributes(value) is not None:
        return bool(number) or is_waited_for(value)
    is_hashed_by_value = kind.__eq__ is not object.__eq__ and kind.__hash__ not in (object.__hash__, None)
    return not is_hashed_by_value and kind is not object and kind.__module__ not in _WITHOUT_DATA


def _is_of_library(kind: type) -> bool:
    return package_of(kind) in sys.stdlib_module_names and kind is not SimpleNamespace


def _unchangeable_parts(value: Any) -> Iterator[Any] | list[Any] | None:
    """Return the parts of an object that keeps the same parts for ever; None for any other object."""
    if issubclass(type(value), _CONSTANTS):
        return []
    if type(value) is CACHE or issubclass(type(value), (tuple, frozenset)) or is_frozen(type(value)):
        return (part for _, part in parts(value))
    if issubclass(type(value), MappingProxyType):
        return (part for holder in gc.get_referents(value) for _, part in parts(holder))
    if issubclass(type(value), functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    return [value.__self__] if issubclass(type(value), MethodType) else None


def unsaved_rows(database: sqlite3.Connection) -> int:
    """Return how many rows a program has written to a database in memory, or in an open transaction to one on disk.

    Return 0 if the database is closed.
    """
    try:
        _, _, file = sqlite3.Connection.execute(database, "PRAGMA database_list").fetchone()
    except (sqlite3.Error, TypeError, ValueError):
        return 0
    return database.total_changes if not file or database.in_transaction else 0

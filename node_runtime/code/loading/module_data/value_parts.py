"""The parts of an object that hold data, and their number and size. Reading them runs no code of applications."""

from __future__ import annotations

import asyncio
import gc
import itertools
import queue
import sqlite3
import sys
import threading
import weakref
from _random import Random
from array import array
from collections import ChainMap, UserDict, UserList, defaultdict, deque
from collections.abc import Iterator, Mapping
from contextvars import Context, ContextVar
from io import BytesIO, StringIO
from types import BuiltinFunctionType, FunctionType, GeneratorType, ModuleType
from typing import Any, Final

from node_runtime.behaviours.show.raw_reads import dict_descriptor, raw_dict
from node_runtime.code.loading.function_data import CACHE
from node_runtime.code.module import HotModule

from .made_on_use import made_on_use
from .thread_values import values_by_thread

MAX_PARTS: Final = 100_000
"""At most this many parts of an object are counted and compared; a larger object counts as different."""
PLAIN: Final = (type(None), bool, int, float, complex, str, bytes)
BUFFERS: Final = (bytearray, array)
CONTAINERS: Final = (dict, list, set, frozenset, tuple, deque, *BUFFERS)
_COUNTED: Final = (
    *CONTAINERS,
    *(UserDict, UserList, ChainMap),
    *(weakref.WeakSet, weakref.WeakValueDictionary, weakref.WeakKeyDictionary),
)
"""The classes whose instances have a number of entries."""
_QUEUES: Final = (queue.Queue, asyncio.Queue)
STEPPED: Final = (itertools.count, GeneratorType, StringIO, BytesIO, sqlite3.Connection, Random)
"""Objects that are compared by their progress, such as the next number of a counter."""
_INSPECTED: Final = frozenset({"queue", "types", "argparse", "collections", "weakref", "_weakrefset"})
"""Modules of the standard library whose instances are compared by their attributes, like instances of applications."""
CODE: Final = (ModuleType, HotModule, FunctionType, BuiltinFunctionType, type, staticmethod, classmethod, property)


def entries(value: Any) -> int | None:
    """Return the number of entries of a container, a cache or the like; None for any other object."""
    if type(value) is CACHE:
        return value.cache_info().currsize
    if issubclass(type(value), _QUEUES):
        return int(value.qsize())
    if issubclass(type(value), ContextVar):
        return sum(value in context for context in _contexts())
    if issubclass(type(value), threading.local):
        return sum(map(len, values_by_thread(value)))
    return len(value) if issubclass(type(value), _COUNTED) else None


def is_waited_for(value: Any) -> bool:
    """Return whether tasks or threads wait for a queue: they would never get what is put into another queue."""
    if issubclass(type(value), asyncio.Queue):
        return bool(value._getters or value._putters or value._finished._waiters)
    if issubclass(type(value), queue.Queue):
        return any(one._waiters for one in (value.not_empty, value.not_full, value.all_tasks_done))
    return False


def _contexts() -> list[Context]:
    """Return the contexts of all tasks, timers and callbacks. Contexts have the values of context variables."""
    gc.unfreeze()  # the copy of the node has hidden its objects from the collector
    found = [one for one in gc.get_objects() if type(one) is Context]
    gc.freeze()
    return found


def kind_name(value: Any) -> str:
    """Return the name of the class of an object, such as "shop.items.Item"; two versions of a class have one name."""
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def attributes(value: Any) -> dict[str, Any] | None:
    """Return the attributes of an instance that can be read without running code of its class; None without any."""
    kind = type(value)
    is_inspected = kind.__module__ in _INSPECTED or issubclass(type(value), CONTAINERS)
    if kind.__module__ in sys.stdlib_module_names and not is_inspected:
        return None
    found: dict[str, Any] = {}
    readable = False
    for base in kind.__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name in ("__dict__", "__weakref__"):
                continue
            readable = True
            try:
                found[name] = vars(base)[name].__get__(value)
            except (AttributeError, KeyError, TypeError):
                continue
    if dict_descriptor(kind) is None:
        return found if readable else None
    return found | raw_dict(value)


def parts(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (label, part) for each item of a container, and for each attribute that holds data.

    A label is a key, an index, or "." with the attribute's name; it never depends on an identity.
    """
    if issubclass(type(value), threading.local):
        yield from enumerate(values_by_thread(value))
        return
    if issubclass(type(value), Mapping) and issubclass(type(value), dict):
        made = type(value) is defaultdict
        yield from ((key, part) for key, part in dict.items(value) if not (made and _is_as_made_by_look_up(part)))
    elif issubclass(type(value), (list, tuple, deque)):
        yield from enumerate(value)
    elif type(value) is CACHE:
        yield from _results(value)
    elif issubclass(type(value), (set, frozenset)):
        yield from ((index, each) for index, each in enumerate(sorted(value, key=_order)))
    again = made_on_use(type(value))
    yield from ((f".{name}", part) for name, part in (attributes(value) or {}).items() if name not in again)


def _results(cache: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the key and the result of each entry of a cache of `functools`, which has no method that reads them."""
    _, *found = gc.get_referents(cache)  # without its class
    if cache.cache_parameters()["maxsize"] is None:
        yield from found[0].items()
    else:  # for each entry: a key, a result, and the class of the entry
        count = 3 * cache.cache_info().currsize
        yield from zip(found[:count:3], found[1:count:3], strict=True)


def _is_as_made_by_look_up(value: Any) -> bool:
    """Return whether a value of a `defaultdict` is still empty, as a look-up of a missing key makes it."""
    return type(value) in (dict, list, set, defaultdict) and not any(True for _ in parts(value))


def _order(value: Any) -> tuple[str, str]:
    """Return a sort key that gives equal sets the same order: the item's class, and the plain values in the item."""
    if issubclass(type(value), PLAIN):
        return kind_name(value), repr(value)
    inner = enumerate(value) if issubclass(type(value), tuple) else sorted((attributes(value) or {}).items())
    return kind_name(value), repr([part for _, part in inner if issubclass(type(part), PLAIN)])


def parts_by_label(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (label, part) for each part, with labels that can be keys of a dict.

    A key that is not a constant is replaced by its class and position, because hashing it would run code of its class.
    """
    for index, (label, part) in enumerate(parts(value)):
        yield (label if isinstance(label, PLAIN) else (kind_name(label), index)), part


def estimated_size(value: Any) -> int:
    """Estimate the bytes of a value and its parts. Code and modules don't count."""
    waiting, seen, size = [value], set[int](), 0
    while waiting and len(seen) < MAX_PARTS:
        thing = waiting.pop()
        if id(thing) in seen or issubclass(type(thing), CODE):
            continue
        seen.add(id(thing))
        # object.__sizeof__ would read the field ob_size, which a generator doesn't have
        size += sys.getsizeof(thing) if issubclass(type(thing), (*PLAIN, *CONTAINERS)) else type(thing).__basicsize__
        if not issubclass(type(thing), PLAIN):
            waiting += [part for label, part in parts(thing) for part in (label, part)]
    return size

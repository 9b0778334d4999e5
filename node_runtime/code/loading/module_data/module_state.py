"""Finds objects with data that a load creates again: in global variables, in attributes of classes, and in functions.

Most containers of a module are tables that no code changes. So an object counts as data only if it differs from two
others: the object of the new version, and the object that the old version's body makes when it is executed once more.
"""

from __future__ import annotations

import asyncio
import enum
import gc
import itertools
import queue
import sqlite3
import sys
import threading
import weakref
from array import array
from collections import ChainMap, UserDict, UserList, deque
from collections.abc import Callable, Iterator, Mapping
from contextvars import Context, ContextVar
from functools import cached_property
from io import BytesIO, StringIO
from types import BuiltinFunctionType, FunctionType, GeneratorType, MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from node_runtime.code.classes.definitions import names_rebound
from node_runtime.code.loading.class_data import data_attributes, named_value
from node_runtime.code.loading.finder import fresh_namespace
from node_runtime.code.loading.function_data import CACHE, NamedValue, function_data
from node_runtime.code.module import HotModule
from node_runtime.code.registrations import Registration, registrations_hidden

from .thread_values import values_by_thread

if TYPE_CHECKING:
    from node_runtime.code.loading.kept_code import KeptCode
    from node_runtime.code.module import Namespace
    from node_runtime.code.module_table import ModuleTable
    from node_runtime.code.version import Version

MAX_PARTS: Final = 100_000
"""At most this many parts of an object are counted and compared; a larger object counts as different."""
_PLAIN: Final = (type(None), bool, int, float, complex, str, bytes)
_BUFFERS: Final = (bytearray, array)
_CONTAINERS: Final = (dict, list, set, frozenset, tuple, deque, *_BUFFERS)
_COUNTED: Final = (
    *_CONTAINERS,
    *(UserDict, UserList, ChainMap),
    *(weakref.WeakSet, weakref.WeakValueDictionary, weakref.WeakKeyDictionary),
)
"""The classes whose instances have a number of entries."""
_QUEUES: Final = (queue.Queue, asyncio.Queue)
_STEPPED: Final = (itertools.count, GeneratorType, StringIO, BytesIO, sqlite3.Connection)
"""Objects that are compared by their progress: by what `_progress` returns."""
_INSPECTED: Final = frozenset({"queue", "types", "argparse", "collections", "weakref", "_weakrefset"})
"""Modules of the standard library whose instances are compared by their attributes, like instances of applications."""
_CODE: Final = (ModuleType, HotModule, FunctionType, BuiltinFunctionType, type, staticmethod, classmethod, property)

_MADE_ON_USE: Final[dict[str, frozenset[str]]] = {
    "starlette.applications.Starlette": frozenset({"middleware_stack"}),
    "fastapi.applications.FastAPI": frozenset({"openapi_schema"}),
    "fastapi.routing._IncludedRouter": frozenset(
        {
            "_effective_candidates",
            "_effective_candidates_version",
            "_effective_low_priority_routes",
            "_effective_low_priority_routes_version",
        }
    ),
    "pydantic.type_adapter.TypeAdapter": frozenset({"pydantic_complete", "core_schema", "validator", "serializer"}),
    "jinja2.environment.Environment": frozenset({"cache"}),
    "click.core.Command": frozenset({"_help_option"}),
    "django.urls.resolvers.URLResolver": frozenset(
        {"_populated", "_callback_strs", "_namespace_dict", "_reverse_dict", "_app_dict", "_local"}
    ),
}
"""Attributes that a library makes when they are first used, and makes again if they are lost, by the class's name."""

Fate = Literal["carried", "migrated", "made anew", "lost"]


class ModuleValue(msgspec.Struct, frozen=True):
    """An object that a global variable, a class or a function of a replaced version holds, and its fate.

    The fate is "carried" if `__carry__` keeps the object; "migrated" if a `__carry__` function makes the new value;
    "made anew" if the new version has its own object, and no data is lost; "lost" if the object holds data that the new
    version's object does not have. `entries` is the number of the object's entries, None if it has none; `size`
    estimates its bytes. `in_function` is whether a function holds the object, as a cache of `functools` does; then
    `__carry__` can't list it. `code` has the replaced functions and classes to which lost data refers, as the routes of
    a web application do: a list `__carry__` would keep them with the data.
    """

    module: str
    name: str
    kind: str
    fate: Fate
    entries: int | None
    size: int
    in_function: bool = False
    code: tuple[str, ...] = ()


def module_values(
    module: str,
    before: Version,
    after: Version | None,
    execute: Callable[[Version], Namespace],
    kept: KeptCode,
) -> list[ModuleValue]:
    """Return the objects of the version `before` that hold data. `after` is None if the module is deleted.

    `execute` executes the body of a version once more, and returns its namespace; it is called only if an object
    differs from the object of the same name in the new version. `kept` knows the code that the load replaces.
    """
    imported = {entry.alias for entry in before.imports.entries}
    after_data = _Data(module, {} if after is None else after.namespace)
    carried = frozenset[str]() if after is None else after.carried
    pristine: _Data | None = None
    found = []
    for held in _held_values(module, before, imported):
        name, value = held.name, held.value
        if not _may_hold_data(value, held.rebound):
            continue
        new = after_data.value(name)
        fate: Fate = "made anew"
        if name in carried:
            fate = "carried" if new is value else "migrated"
        elif new is value:
            continue  # a constant that the interpreter shares, or an object of another module
        elif _entries(value) != 0 and not _equal(value, new):
            pristine = _Data(module, execute(before)) if pristine is None else pristine
            fate = "made anew" if _equal(value, pristine.value(name)) else "lost"
        if fate != "made anew" or not (isinstance(value, _PLAIN) or "." in name):
            code = tuple(kept.names_in(value)) if fate == "lost" else ()
            entries, size = _entries(value), _size(value)
            found.append(ModuleValue(module, name, _kind(value), fate, entries, size, held.in_function, code))
    return found


def execute_again(table: ModuleTable, version: Version) -> Namespace:
    """Execute the body of a loaded version once more, in another namespace, and return this namespace.

    To be called only in a copy of the node. The registrations of the body are undone.
    """
    namespace = fresh_namespace(table, version.unit)
    recorder = table.recorder.record()
    made: list[Registration] = []
    with registrations_hidden(version.registrations, lambda: made), recorder as recorded:
        made = recorded
        exec(version.unit.code, namespace)
    return namespace


def _held_values(module: str, version: Version, imported: set[str]) -> Iterator[NamedValue]:
    """Yield all that a version holds in global variables, in attributes of its classes and in its functions."""
    rebound = names_rebound(version.unit.code)
    for name, value in list(version.namespace.items()):
        if not name.startswith("__") and name not in imported:
            yield NamedValue(name, value, name in rebound, type(value) is CACHE)
    for name, value in data_attributes(module, version.namespace):
        yield NamedValue(name, value, rebound=True, in_function=False)
    yield from function_data(module, version.namespace, imported)


class _Data:
    """The values in a namespace of a module, by the names that `_held_values` gives them."""

    def __init__(self, module: str, namespace: Namespace) -> None:
        self._module = module
        self._namespace = namespace

    @cached_property
    def _in_functions(self) -> dict[str, Any]:
        return {held.name: held.value for held in function_data(self._module, self._namespace)}

    def value(self, name: str) -> Any:
        """Return the value with this name, or MISSING."""
        if "." in name and name in self._in_functions:
            return self._in_functions[name]
        return named_value(self._namespace, name)


def _may_hold_data(value: Any, rebound: bool) -> bool:
    if isinstance(value, (*_PLAIN, enum.Enum)):
        return rebound
    if isinstance(value, (*_CODE, MappingProxyType)):
        return False
    known = isinstance(value, (*_CONTAINERS, *_STEPPED, CACHE, ContextVar, threading.local))
    return rebound or known or _attributes(value) is not None


def _entries(value: Any) -> int | None:
    if type(value) is CACHE:
        return value.cache_info().currsize
    if isinstance(value, _QUEUES):
        return value.qsize()
    if isinstance(value, ContextVar):
        return sum(value in context for context in _contexts())
    if isinstance(value, threading.local):
        return sum(map(len, values_by_thread(value)))
    return len(value) if isinstance(value, _COUNTED) else None


def _contexts() -> list[Context]:
    """Return the contexts, which hold the values of context variables, of all tasks, timers and callbacks."""
    gc.unfreeze()  # the copy of the node has hidden its objects from the collector
    found = [one for one in gc.get_objects() if type(one) is Context]
    gc.freeze()
    return found


def _kind(value: Any) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _attributes(value: Any) -> dict[str, Any] | None:
    """Return those attributes of an instance that can be read without running code of its class; None if none can."""
    kind = type(value)
    is_inspected = kind.__module__ in _INSPECTED or isinstance(value, _CONTAINERS)
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
    try:
        found.update(object.__getattribute__(value, "__dict__"))
    except AttributeError:
        return found if readable else None
    return found


def _parts(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (label, part) for each item of a container, and for each attribute that holds data.

    A label is a key, an index, or "." with the attribute's name; it never depends on an identity.
    """
    if isinstance(value, threading.local):
        yield from enumerate(values_by_thread(value))
        return
    if isinstance(value, Mapping) and isinstance(value, dict):
        yield from dict.items(value)
    elif isinstance(value, (list, tuple, deque)):
        yield from enumerate(value)
    elif isinstance(value, (set, frozenset)):
        yield from ((index, each) for index, each in enumerate(sorted(value, key=_order)))
    again = _made_on_use(type(value))
    yield from ((f".{name}", part) for name, part in (_attributes(value) or {}).items() if name not in again)


def _made_on_use(kind: type) -> set[str]:
    """Return the attributes that hold no data, since the class makes them when they are first used."""
    found = {name for base in kind.__mro__ for name, each in vars(base).items() if _is_cached_property(type(each))}
    for base in kind.__mro__:
        found |= _MADE_ON_USE.get(f"{base.__module__}.{base.__qualname__}", frozenset())
    return found


def _is_cached_property(kind: type) -> bool:
    """Return whether an attribute of this type computes a value that an instance keeps under the same name."""
    return hasattr(kind, "__get__") and not hasattr(kind, "__set__") and not issubclass(kind, _CODE)


def _order(value: Any) -> tuple[str, str]:
    return _kind(value), repr(value) if isinstance(value, _PLAIN) else ""


def _equal(one: Any, other: Any) -> bool:
    """Return whether two objects have the same data. Instances of two versions of a class can have the same data."""
    waiting, seen = [(one, other)], set()
    while waiting:
        left, right = waiting.pop()
        if left is right or (id(left), id(right)) in seen:
            continue
        seen.add((id(left), id(right)))
        pairs = None if len(seen) > MAX_PARTS or _kind(left) != _kind(right) else _pairs(left, right)
        if pairs is None:
            return False
        waiting += pairs
    return True


def _pairs(left: Any, right: Any) -> list[tuple[Any, Any]] | None:
    """Return the pairs of parts that have to be equal if two objects of one kind are; None if the objects differ."""
    if isinstance(left, threading.local):
        return _pairs_of_threads(left, right)
    if isinstance(left, (*_PLAIN, *_BUFFERS)):
        same = left == right
    elif isinstance(left, _STEPPED):
        same = _progress(left) == _progress(right)
    elif type(left) in (CACHE, ContextVar):
        same = _entries(left) == _entries(right)
    elif isinstance(left, _CODE):
        same = True
    else:
        mine, others = dict(_hashed(left)), dict(_hashed(right))
        return [(part, others[label]) for label, part in mine.items()] if mine.keys() == others.keys() else None
    return [] if same else None


def _pairs_of_threads(left: threading.local, right: threading.local) -> list[tuple[Any, Any]] | None:
    """Pair the values of each thread in `left` with those that the body or the class gives a thread in `right`."""
    made, pairs = values_by_thread(right), []
    for values in filter(None, values_by_thread(left)):
        same = next((one for one in made if one.keys() == values.keys()), None)
        if same is None:
            return None
        pairs.append((values, same))
    return pairs


def _progress(value: Any) -> Any:
    """Return how far an object of `_STEPPED` has come, to compare with `==`.

    Of databases, only those in memory count.
    """
    if isinstance(value, itertools.count):
        return repr(value)
    if isinstance(value, (StringIO, BytesIO)):
        return None if value.closed else value.getvalue()
    if isinstance(value, sqlite3.Connection):
        return _rows_in_memory(value)
    return None if value.gi_frame is None else value.gi_frame.f_lasti


def _rows_in_memory(database: sqlite3.Connection) -> int:
    """Return how many rows a program has written to a database in memory; 0 for another or a closed database."""
    try:
        _, _, file = sqlite3.Connection.execute(database, "PRAGMA database_list").fetchone()
    except (sqlite3.Error, TypeError, ValueError):
        return 0
    return 0 if file else database.total_changes


def _hashed(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (label, part) for each part, with labels that can be keys of a dict.

    A key that is no constant is replaced by its class and position, because its hash would run code of the class.
    """
    for index, (label, part) in enumerate(_parts(value)):
        yield (label if isinstance(label, _PLAIN) else (_kind(label), index)), part


def _size(value: Any) -> int:
    """Estimate the bytes of a value and its parts. Code and modules don't count."""
    waiting, seen, size = [value], set[int](), 0
    while waiting and len(seen) < MAX_PARTS:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, _CODE):
            continue
        seen.add(id(thing))
        # object.__sizeof__ would read a number of items, which a generator doesn't have at that place
        size += sys.getsizeof(thing) if isinstance(thing, (*_PLAIN, *_CONTAINERS)) else type(thing).__basicsize__
        if not isinstance(thing, _PLAIN):
            waiting += [part for label, part in _parts(thing) for part in (label, part)]
    return size

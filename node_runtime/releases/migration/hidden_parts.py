"""Reads the parts of an object: the objects to which it refers.

The function `gc.get_referents` is used only for types for which it returns all parts and nothing else. For a function,
it would also return the namespace of the module, which refers to everything. For other types it leaves parts out: for
example, the time zone of a datetime, the values of a `threading.local`, the call of a finalizer, and the items of an
array.
"""

from __future__ import annotations

import _thread
import asyncio
import datetime
import gc
import weakref
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, Final

from node_runtime.code.classes.object_arrays import is_array, items_of

ReadParts = Callable[[Any], Sequence[Any]]
ZONED: Final = (datetime.datetime, datetime.time)
"""The classes whose objects refer to a time zone."""
_NOTHING: Final = (None,)


def reader_for(cls: type[Any]) -> ReadParts:
    """Return the function that reads the parts of the objects of a class."""
    if cls is FunctionType:
        return _of_function
    if cls is dict:
        return _of_dict
    if is_array(cls):
        return items_of
    return next((reader for base, reader in _READERS if issubclass(cls, base)), gc.get_referents)


def zone_of(moment: Any) -> datetime.tzinfo | None:
    """Return the time zone of a datetime or a time, without running code of a subclass."""
    cls: Any = datetime.datetime if isinstance(moment, datetime.datetime) else datetime.time
    zone: datetime.tzinfo | None = cls.tzinfo.__get__(moment)
    return zone


def target_of(reference: Any) -> Any:
    """Return the object to which a weak reference or proxy leads, without running its code; None if there is none."""
    if issubclass(type(reference), weakref.ref):
        return weakref.ref.__call__(reference)
    import ctypes  # Python itself has no function that does this for a proxy

    get = ctypes.pythonapi.PyWeakref_GetObject
    get.argtypes, get.restype = [ctypes.c_void_p], ctypes.c_void_p
    return ctypes.cast(get(id(reference)), ctypes.py_object).value


def is_weak(cls: type[Any]) -> bool:
    """Return whether the objects of a class are weak references or proxies."""
    return issubclass(cls, (weakref.ref, *weakref.ProxyTypes))


def _of_function(function: Any) -> Sequence[Any]:
    return [function.__closure__, function.__defaults__, function.__kwdefaults__, function.__dict__]


def _of_dict(value: dict[Any, Any]) -> Sequence[Any]:
    is_module = dict.__contains__(value, "__builtins__") or dict.__contains__(value, "__spec__")
    return _NOTHING if is_module else gc.get_referents(value)


def _of_zoned(moment: Any) -> Sequence[Any]:
    return [zone_of(moment), *gc.get_referents(moment)]


def _of_thread_local(local: Any) -> Sequence[Any]:
    """Return the values of the calling thread only, because no other thread runs in the copy of the node."""
    return [_thread._local.__getattribute__(local, "__dict__")]


def _of_task(task: Any) -> Sequence[Any]:
    """Return the result and the exception of an ended task; nothing for a running task, which refers to everything."""
    return [task._result, task._exception] if task.done() else _NOTHING


def _of_finalizer(finalizer: Any) -> Sequence[Any]:
    found: tuple[Any, ...] | None = weakref.finalize.peek(finalizer)
    return [] if found is None else list(found[1:])


_READERS: Final[tuple[tuple[Any, ReadParts], ...]] = (
    (ZONED, _of_zoned),
    (_thread._local, _of_thread_local),
    (weakref.finalize, _of_finalizer),
    (asyncio.Task, _of_task),
)
"""The functions for the classes of the standard library whose objects hide parts from `gc.get_referents`."""

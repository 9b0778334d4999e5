"""What objects of the standard library hold, as far as that can be seen without running anybody's code.

Locks, iterators, buffers, closures, timers and their like change without an attribute of theirs becoming another one,
or belong to classes that are not looked into elsewhere, since they change by themselves while other things run. This is
for a walk during which nothing else runs.
"""

from __future__ import annotations

import _asyncio
import _random
import _thread
import array
import asyncio
import decimal
import gc
import io
import itertools
import mmap
import queue
import threading
import types
import weakref
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final
from xml.etree import ElementTree

Inside = tuple[object, tuple[object, ...]]
"""A mark that is another one when the object has changed, and what else belongs to the object."""

_FOLLOWED: Final = frozenset({
    "_weakrefset", "argparse", "asyncio", "concurrent", "configparser", "functools", "queue", "sched", "threading",
    "types", "weakref",
})  # fmt: skip
"""Modules of the standard library whose objects are looked into."""
_WORLDS: Final = (asyncio.AbstractEventLoop, threading.Thread)
"""Objects of theirs that lead to all that a node has."""


def is_followed(kind: type[Any], root: str) -> bool:
    """Whether objects of a class that stands in module `root` of the standard library are looked into."""
    return root in _FOLLOWED and not issubclass(kind, _WORLDS)


def inside(value: Any) -> Inside | None:
    """What an object holds that isn't among its attributes; None for one about which nothing is known here.

    A value of None for the mark: what it holds can't be seen, since it is closed.
    """
    kind = type(value)
    look = _EXACT.get(id(kind))  # by identity: a metaclass may run code when a class is hashed or compared
    if look is None:
        look = next((look for base, look in _BASES if issubclass(kind, base)), None)
    if look is None:
        return None
    try:
        return look(value)
    except (ValueError, RuntimeError):
        return None, ()


def is_held(value: Any) -> bool:
    """Whether this is a lock that somebody holds."""
    if type(value) is _thread.RLock:
        return repr(value).startswith("<locked")
    return type(value) is _thread.LockType and value.locked()


def digest(content: Any) -> bytes:
    """Short for the bytes of a buffer."""
    return blake2b(content, digest_size=16).digest()


def _lock(lock: Any) -> Inside:
    return lock.locked(), ()


def _written(value: Any) -> Inside:
    """For classes in C that write themselves down in full."""
    return repr(value), ()


def _referred(value: Any) -> Inside:
    """For classes in C whose objects have nothing but references to others."""
    return None, tuple(gc.get_referents(value))


def _function(function: Any) -> Inside:
    cells = function.__closure__ or ()
    return None, (*cells, function.__defaults__, function.__kwdefaults__, function.__dict__)


def _left(iterator: Any) -> Inside:
    return type(iterator).__length_hint__(iterator), ()


def _generator(generator: Any) -> Inside:
    frame = generator.gi_frame
    return None if frame is None else frame.f_lasti, ()


def _coroutine(coroutine: Any) -> Inside:
    frame = coroutine.cr_frame
    return None if frame is None else frame.f_lasti, ()


def _buffer(buffer: Any) -> Inside:
    with memoryview(buffer) as view:
        return digest(view.tobytes()), ()


def _bytearray(value: Any) -> Inside:
    return digest(bytearray.__getitem__(value, slice(None))), ()


def _view(view: memoryview) -> Inside:
    return view.readonly, (view.obj,)


def _text_file(file: io.StringIO) -> Inside:
    return (file.tell(), digest(file.getvalue().encode(errors="surrogatepass"))), ()


def _bytes_file(file: io.BytesIO) -> Inside:
    return (file.tell(), digest(file.getvalue())), ()


def _random_state(generator: Any) -> Inside:
    return _random.Random.getstate(generator), ()


def _simple_queue(waiting: queue.SimpleQueue[Any]) -> Inside:
    return waiting.qsize(), ()


def _future(future: Any) -> Inside:
    return (future._state, len(future._callbacks or ())), ()


def _task(task: Any) -> Inside:
    return (task._state, len(task._callbacks or ()), task.cancelling()), ()


def _reference(reference: Any) -> Inside:
    return id(weakref.ref.__call__(reference)), ()


_COUNTED: Final[tuple[Any, ...]] = (
    [], (), range(0), range(1 << 70), {}, {}.keys(), {}.values(), {}.items(), set(), "", "\xe9", b"", bytearray(),
)  # fmt: skip
_LOOKS: Final[tuple[tuple[tuple[Any, ...], Callable[[Any], Inside]], ...]] = (
    ((_thread.LockType,), _lock),
    ((_thread.RLock, itertools.count, decimal.Context), _written),
    ((types.FunctionType,), _function),
    (
        (
            types.CellType, types.MethodType, types.BuiltinMethodType, types.MethodWrapperType, types.MappingProxyType,
            itertools.chain, itertools.cycle, itertools.islice, enumerate, zip, map, filter,
            ElementTree.Element,
        ),
        _referred,
    ),
    (tuple({type(iter(value)) for value in _COUNTED if hasattr(iter(value), "__length_hint__")}), _left),
    ((type(reversed([])),), _left),
    ((types.GeneratorType,), _generator),
    ((types.CoroutineType,), _coroutine),
    ((array.array, mmap.mmap), _buffer),
    ((memoryview,), _view),
    ((io.StringIO,), _text_file),
    ((io.BytesIO,), _bytes_file),
    ((queue.SimpleQueue,), _simple_queue),
    ((_asyncio.Future,), _future),
    ((_asyncio.Task,), _task),
)  # fmt: skip
_EXACT: Final = {id(kind): look for kinds, look in _LOOKS for kind in kinds}
_BASES: Final = ((bytearray, _bytearray), (_random.Random, _random_state), (weakref.ref, _reference))

"""Probes for the hidden contents of standard library objects, read without running user code.

The contents of locks, iterators, buffers, closures and timers can change while all attributes stay the same. Probes
detect such changes. They are used only if no other code runs during the walk, because other code may change these
objects at any time.
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

ProbeResult = tuple[object, tuple[object, ...]]
"""A mark that differs when the object has changed, and the other objects to which the object refers."""

_FOLLOWED: Final = frozenset({
    "_weakrefset", "argparse", "asyncio", "concurrent", "configparser", "functools", "queue", "sched", "threading",
    "types", "weakref",
})  # fmt: skip
"""Modules of the standard library whose objects are inspected."""
_UNBOUNDED: Final = (asyncio.AbstractEventLoop, threading.Thread)
"""Classes in `_FOLLOWED` modules that are not inspected, because their objects refer to everything in a node."""


def is_followed(kind: type[Any], root: str) -> bool:
    """Return whether objects of the class `kind`, which is in the standard library module `root`, are inspected."""
    return root in _FOLLOWED and not issubclass(kind, _UNBOUNDED)


def probe_contents(value: Any) -> ProbeResult | None:
    """Return the contents of an object besides its attributes; None for a class without a probe.

    The result is (mark, objects). The mark differs when the object has changed; `objects` are the objects to which it
    refers. The result for a closed object is (None, ()).
    """
    kind = type(value)
    probe = _EXACT.get(id(kind))  # by identity: a metaclass may run code when a class is hashed or compared
    if probe is None:
        probe = next((probe for base, probe in _BASES if issubclass(kind, base)), None)
    if probe is None:
        return None
    try:
        return probe(value)
    except (ValueError, RuntimeError):
        return None, ()


def is_held_lock(value: Any) -> bool:
    """Return whether this is a lock that is held."""
    if type(value) is _thread.RLock:
        return repr(value).startswith("<locked")
    return type(value) is _thread.LockType and value.locked()


def digest(content: Any) -> bytes:
    """Return a digest of the bytes of a buffer."""
    return blake2b(content, digest_size=16).digest()


def _lock(lock: Any) -> ProbeResult:
    return lock.locked(), ()


def _by_repr(value: Any) -> ProbeResult:
    """Probe a C class whose repr shows its complete state."""
    return repr(value), ()


def _by_referents(value: Any) -> ProbeResult:
    """Probe a C class whose objects consist of references only."""
    return None, tuple(gc.get_referents(value))


def _function(function: Any) -> ProbeResult:
    cells = function.__closure__ or ()
    return None, (*cells, function.__defaults__, function.__kwdefaults__, function.__dict__)


def _remaining(iterator: Any) -> ProbeResult:
    return type(iterator).__length_hint__(iterator), ()


def _generator(generator: Any) -> ProbeResult:
    frame = generator.gi_frame
    return None if frame is None else frame.f_lasti, ()


def _coroutine(coroutine: Any) -> ProbeResult:
    frame = coroutine.cr_frame
    return None if frame is None else frame.f_lasti, ()


def _buffer(buffer: Any) -> ProbeResult:
    with memoryview(buffer) as view:
        return digest(view.tobytes()), ()


def _bytearray(value: Any) -> ProbeResult:
    return digest(bytearray.__getitem__(value, slice(None))), ()


def _memoryview(view: memoryview) -> ProbeResult:
    return view.readonly, (view.obj,)


def _text_file(file: io.StringIO) -> ProbeResult:
    return (file.tell(), digest(file.getvalue().encode(errors="surrogatepass"))), ()


def _bytes_file(file: io.BytesIO) -> ProbeResult:
    return (file.tell(), digest(file.getvalue())), ()


def _random_state(generator: Any) -> ProbeResult:
    return _random.Random.getstate(generator), ()


def _simple_queue(waiting: queue.SimpleQueue[Any]) -> ProbeResult:
    return waiting.qsize(), ()


def _future(future: Any) -> ProbeResult:
    return (future._state, len(future._callbacks or ())), ()


def _task(task: Any) -> ProbeResult:
    return (task._state, len(task._callbacks or ()), task.cancelling()), ()


def _reference(reference: Any) -> ProbeResult:
    return id(weakref.ref.__call__(reference)), ()


_COUNTED_ITERABLES: Final[tuple[Any, ...]] = (
    [], (), range(0), range(1 << 70), {}, {}.keys(), {}.values(), {}.items(), set(), "", "\xe9", b"", bytearray(),
)  # fmt: skip
_PROBES: Final[tuple[tuple[tuple[Any, ...], Callable[[Any], ProbeResult]], ...]] = (
    ((_thread.LockType,), _lock),
    ((_thread.RLock, itertools.count, decimal.Context), _by_repr),
    ((types.FunctionType,), _function),
    (
        (
            types.CellType, types.MethodType, types.BuiltinMethodType, types.MethodWrapperType, types.MappingProxyType,
            itertools.chain, itertools.cycle, itertools.islice, enumerate, zip, map, filter,
            ElementTree.Element,
        ),
        _by_referents,
    ),
    (tuple({type(iter(value)) for value in _COUNTED_ITERABLES if hasattr(iter(value), "__length_hint__")}), _remaining),
    ((type(reversed([])),), _remaining),
    ((types.GeneratorType,), _generator),
    ((types.CoroutineType,), _coroutine),
    ((array.array, mmap.mmap), _buffer),
    ((memoryview,), _memoryview),
    ((io.StringIO,), _text_file),
    ((io.BytesIO,), _bytes_file),
    ((queue.SimpleQueue,), _simple_queue),
    ((_asyncio.Future,), _future),
    ((_asyncio.Task,), _task),
)  # fmt: skip
_EXACT: Final = {id(kind): probe for kinds, probe in _PROBES for kind in kinds}
_BASES: Final = ((bytearray, _bytearray), (_random.Random, _random_state), (weakref.ref, _reference))

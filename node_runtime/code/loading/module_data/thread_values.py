"""Reads the values that a `threading.local` has in all threads.

The copy of the node in which a plan is made has none of the other threads, and so none of their values. So the node
reads the values before it makes the copy.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from node_runtime.code.version import Version

MAX_SEARCHED: Final = 2_000
"""At most this many objects of a module are searched for a `threading.local`, since the node waits meanwhile."""
_PLAIN: Final = (type(None), bool, int, float, complex, str, bytes)

_read: dict[int, list[dict[str, Any]]] = {}
"""What the node has read, by the `id` of the `threading.local`."""


@contextmanager
def thread_values_read(versions: Iterable[Version]) -> Iterator[None]:
    """Read the values of each `threading.local` that these versions of modules hold; forget them at the end."""
    found = {id(local): _values_now(local) for version in versions for local in _locals(version)}
    _read.update(found)
    try:
        yield
    finally:
        for key in found:
            _read.pop(key, None)


def values_by_thread(local: threading.local) -> list[dict[str, Any]]:
    """Return the attributes of a `threading.local` in each thread that has used it, without those that are None."""
    return _read[id(local)] if id(local) in _read else _values_now(local)


def _values_now(local: threading.local) -> list[dict[str, Any]]:
    found = [part for part in gc.get_referents(local) if type(part) is dict]
    # a subclass may also have keyword arguments, whose keys are texts; the keys of the rest are internal objects
    threads = [part for part in found if not any(isinstance(key, str) for key in list(part))]
    by_thread = [values for part in threads for values in list(part.values()) if isinstance(values, dict)]
    return [{name: value for name, value in list(values.items()) if value is not None} for values in by_thread]


def _locals(version: Version) -> Iterator[threading.local]:
    waiting = list(version.namespace.values())
    for value in version.namespace.values():
        if isinstance(value, type) and value.__module__ == version.unit.source.module:
            waiting += vars(value).values()
    seen: set[int] = set()
    for _ in range(MAX_SEARCHED):
        if not waiting:
            return
        value = waiting.pop()
        if id(value) not in seen:
            seen.add(id(value))
            if issubclass(type(value), threading.local):
                yield value
            else:
                waiting += _parts(value)


def _parts(value: Any) -> list[Any]:
    kind = type(value)
    if kind in _PLAIN or issubclass(kind, type) or kind.__module__ == "types":
        return []
    if kind in (list, tuple):
        return list(islice(value, MAX_SEARCHED))
    if kind is dict:
        return list(islice(list(value.values()), MAX_SEARCHED))
    try:
        return list(islice(list(object.__getattribute__(value, "__dict__").values()), MAX_SEARCHED))
    except AttributeError:
        return []

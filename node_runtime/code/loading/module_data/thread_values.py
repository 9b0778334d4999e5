"""Reads the values that a `threading.local` has in all threads.

A plan is made in a forked copy of the node. The copy has only one thread, and none of the values of the other threads.
So the node reads the values before it forks the copy.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from node_runtime.behaviours.show.raw_reads import module_of, raw_dict

if TYPE_CHECKING:
    from node_runtime.code.version import Version

MAX_SEARCHED: Final = 2_000
"""At most this many objects of a module are searched for a `threading.local`, because the search blocks the node."""
_PLAIN: Final = (type(None), bool, int, float, complex, str, bytes)

_read: dict[int, list[dict[str, Any]]] = {}
"""The values that the node has read, by the `id` of the `threading.local`."""


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
    """Return the attributes, except None, that a `threading.local` has in each thread that has used it."""
    return _read[id(local)] if id(local) in _read else _values_now(local)


def _values_now(local: threading.local) -> list[dict[str, Any]]:
    found = [part for part in gc.get_referents(local) if type(part) is dict]
    # the attributes have internal objects as keys; a dict with text keys has a subclass's keyword arguments
    threads = [part for part in found if not any(isinstance(key, str) for key in list(part))]
    by_thread = [values for part in threads for values in list(part.values()) if isinstance(values, dict)]
    return [{name: value for name, value in list(values.items()) if value is not None} for values in by_thread]


def _locals(version: Version) -> Iterator[threading.local]:
    waiting = list(version.namespace.values())
    for value in version.namespace.values():
        if issubclass(type(value), type) and value.__module__ == version.unit.source.module:
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
    if kind in _PLAIN or issubclass(kind, type) or module_of(kind) == "types":
        return []
    if kind in (list, tuple):
        return list(islice(value, MAX_SEARCHED))
    if kind is dict:
        return list(islice(list(value.values()), MAX_SEARCHED))
    return list(islice(raw_dict(value).values(), MAX_SEARCHED))

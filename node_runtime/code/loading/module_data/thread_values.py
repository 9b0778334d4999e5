"""Reads the values that a `threading.local` has in all threads.

A plan is made in a forked copy of the node. The copy has only one thread, and none of the values of the other threads.
So the node reads the values before it forks the copy.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from node_runtime.behaviours.show.raw_reads import dict_descriptor, module_of, raw_attributes

if TYPE_CHECKING:
    from node_runtime.code.version import Version

MAX_SEARCHED: Final = 2_000
"""At most this many objects of a module are searched for a `threading.local`, because the search blocks the node."""
_WITHOUT_PARTS: Final = (type(None), bool, int, float, complex, str, bytes, ModuleType)
"""Classes whose objects are not searched. What an imported module holds does not belong to the importing module."""
_Reader: TypeAlias = Callable[[Any], list[Any]]

_read: dict[int, list[dict[str, Any]]] = {}
"""The values that the node has read, by the `id` of the `threading.local`."""


@contextmanager
def thread_values_read(versions: Iterable[Version]) -> Iterator[None]:
    """Read the values of each `threading.local` that these versions of modules hold; forget them at the end."""
    search = _LocalsSearch()
    found = {id(local): _values_now(local) for version in versions for local in search.locals_of(version)}
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


class _LocalsSearch:
    """Searches modules for each `threading.local`. How to read the objects of a class is found out once per class."""

    def __init__(self) -> None:
        self._readers: dict[type, _Reader | None] = {}

    def locals_of(self, version: Version) -> Iterator[threading.local]:
        """Yield each `threading.local` that this version of a module holds."""
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
                elif (read := self._reader(type(value))) is not None:
                    waiting += islice(read(value), MAX_SEARCHED)

    def _reader(self, kind: type) -> _Reader | None:
        if kind not in self._readers:
            self._readers[kind] = _make_reader(kind)
        return self._readers[kind]


def _make_reader(kind: type) -> _Reader | None:
    """Return a function that returns the parts of an object of a class; None for a class whose objects have none."""
    if kind in _WITHOUT_PARTS or issubclass(kind, type) or module_of(kind) == "types":
        return None
    if kind in (list, tuple):
        return list
    if kind is dict:
        return lambda value: list(value.values())
    descriptor = dict_descriptor(kind)
    return None if descriptor is None else lambda value: list(dict.values(raw_attributes(descriptor, value)))

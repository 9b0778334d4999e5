"""Finds data that a program has added to the objects of a module since the module's body made them."""

from __future__ import annotations

import itertools
import sqlite3
import threading
from _random import Random
from collections.abc import Iterator
from contextvars import ContextVar
from io import BytesIO, StringIO
from typing import Any

import msgspec

from .changeable_data import data_by_label, unsaved_rows
from .thread_values import values_by_thread
from .value_parts import BUFFERS, CODE, MAX_PARTS, PLAIN, STEPPED, entries, kind_name

Part = tuple[Any, tuple[Any, ...]]
"""A part of a value, and the parts at the same place of the objects that bodies have made."""


class Comparison(msgspec.Struct, frozen=True):
    """Compares the values of a loaded module with the values that executing a module's body has made.

    `folder` has the files of the version, and `new_folder` has those of the new version. A path in `folder` counts as
    equal to the same path in `new_folder`.
    """

    folder: str = ""
    new_folder: str = ""

    def is_made_anew(self, value: Any, *made: Any) -> bool:
        """Return whether each part of `value` is as bodies make it, so that `value` has no data of its own.

        Each part has to equal the part at the same place of some object in `made`. Different parts may equal parts of
        different objects. Instances of two versions of a class can be equal.
        """
        waiting: list[Part] = [(value, made)]
        seen: set[tuple[int, ...]] = set()
        while waiting:
            part, others = waiting.pop()
            if any(part is other for other in others):
                continue
            place = (id(part), *map(id, others))
            if place in seen:
                continue
            seen.add(place)
            alike = [other for other in others if kind_name(other) == kind_name(part)]
            inner = None if len(seen) > MAX_PARTS or not alike else self._inner(part, alike)
            if inner is None:
                return False
            waiting += inner
        return True

    def _inner(self, value: Any, made: list[Any]) -> list[Part] | None:
        """Return the parts of `value`; None if `value` has data of its own. `made` has objects of the same kind."""
        if issubclass(type(value), threading.local):
            return list(_of_threads(value, made))
        if issubclass(type(value), (*PLAIN, *BUFFERS)):
            same = any(value == other for other in made) or (type(value) is str and self._moved(value) in made)
        elif issubclass(type(value), STEPPED):
            reached = [_progress(other) for other in made]
            same = _progress(value) in reached or (issubclass(type(value), Random) and _is_seeded_by_chance(reached))
        elif issubclass(type(value), ContextVar):
            same = any(entries(value) == entries(other) for other in made)
        elif issubclass(type(value), CODE):
            same = True
        else:
            return _of_labels(data_by_label(value), [data_by_label(other) for other in made])
        return [] if same else None

    def _moved(self, path: str) -> str:
        return path.replace(self.folder, self.new_folder, 1) if self.folder else path


def _of_labels(mine: dict[Any, Any], theirs: list[dict[Any, Any]]) -> list[Part] | None:
    if set.intersection(*map(set, theirs)) - mine.keys():
        return None  # an item was removed
    return [(part, tuple(other[label] for other in theirs if label in other)) for label, part in mine.items()]


def _of_threads(value: threading.local, made: list[threading.local]) -> Iterator[Part]:
    """Pair the values of each thread with the values that the body or the class gives a thread."""
    begun = [values for other in made for values in values_by_thread(other)]
    for values in filter(None, values_by_thread(value)):
        yield values, tuple(one for one in begun if one.keys() == values.keys())


def _progress(value: Any) -> Any:
    """Return a comparable value for the progress of an object of `STEPPED`.

    Of a database on disk, only an open transaction is progress.
    """
    if issubclass(type(value), Random):
        return Random.getstate(value)
    if issubclass(type(value), itertools.count):
        return repr(value)
    if issubclass(type(value), (StringIO, BytesIO)):
        return None if value.closed else value.getvalue()
    if issubclass(type(value), sqlite3.Connection):
        return unsaved_rows(value)
    return None if value.gi_frame is None else value.gi_frame.f_lasti


def _is_seeded_by_chance(states: list[Any]) -> bool:
    """Return whether the generators of random numbers that two runs of a body have made differ: they hold no data."""
    return any(state != states[0] for state in states)

"""Makes new objects while the processes still run, before an install holds the processes.

The states of a service may hold tens of thousands of records, such as the messages of rooms. A record is an object of a
replaced class that holds few other objects. Its new object is made ahead. When the processes are held, the new object
is used only if the record has not changed meanwhile. This check takes a fraction of the time of making the object:
loops in C compare the references of many records at once. Records are compared one by one only if this comparison finds
a difference.

Everything else is made when the processes are held: larger values, values that can't be checked in this way, and values
that need code of the release, such as a validator. Such code may use other modules, whose old versions still run.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from operator import is_
from typing import Any, Final

from .conversion import Converter
from .replaced_shapes import ReplacedShape, Shapes
from .shapes import LEAF_CLASSES, ObjectShape, PathStep, Shape

MAX_OBJECTS: Final = 32
"""A record consists of at most this many objects that are not constants."""
GROUP: Final = 64
"""The number of records that are checked at once."""
_CONTAINERS: Final = (dict, list, set, tuple, frozenset)
_COPIED: Final = (ObjectShape, ReplacedShape)


@dataclass(slots=True)
class _RecordContent:
    """The objects to which a record referred at one moment. A later comparison shows whether the record has changed.

    `holders` are the objects that the record consists of. All these objects are kept alive, so that no `id` is used
    again.
    """

    holders: list[Any]
    dicts: list[dict[Any, Any]]
    copied: list[Any]
    """The objects that get a new object in their place; no weak reference may lead to them."""
    parts: list[Any]
    keys: list[Any]
    """The keys of the dicts. `gc.get_referents` leaves out the keys of a dict if all of them are strings."""

    @classmethod
    def of(cls, holders: list[Any], copied: list[Any]) -> _RecordContent:
        """Return what the objects of a record, `holders`, refer to now. `copied` are those that get a new object."""
        dicts = [one for one in holders if isinstance(one, dict)]
        return cls(holders, dicts, copied, gc.get_referents(*holders), _keys(dicts))

    @classmethod
    def together(cls, contents: Iterable[_RecordContent]) -> _RecordContent:
        """Join the contents of several records, so that one comparison checks all of them."""
        every = ((one.holders, one.dicts, one.copied, one.parts, one.keys) for one in contents)
        return cls(*(list(chain.from_iterable(lists)) for lists in zip(*every, strict=True)))

    def is_unchanged(self) -> bool:
        parts, keys = gc.get_referents(*self.holders), _keys(self.dicts)
        return (
            len(parts) == len(self.parts)
            and len(keys) == len(self.keys)
            and all(map(is_, parts, self.parts))
            and all(map(is_, keys, self.keys))
            and not any(map(weakref.getweakrefcount, self.copied))
        )


def _keys(dicts: list[dict[Any, Any]]) -> list[Any]:
    return list(chain.from_iterable(map(dict.__iter__, dicts)))


@dataclass(slots=True)
class _Record:
    """The new objects for one record, or for several records that are checked together; see `Converter.adopt`.

    A record is an old object of a replaced class, with the few objects that it holds.
    """

    content: _RecordContent
    unchanged: list[int]
    made: dict[int, Any]
    is_usable: bool = True

    @classmethod
    def together(cls, records: list[_Record]) -> _Record:
        """Join several records to one, so that one comparison checks all of them."""
        made: dict[int, Any] = {}
        for record in records:
            made.update(record.made)
        unchanged = list(chain.from_iterable(record.unchanged for record in records))
        return cls(_RecordContent.together(record.content for record in records), unchanged, made)


class MadeAhead:
    """New objects that are made before the processes are held, one for each record (a small object in a state)."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._records: list[_Record] = []
        self._groups: list[tuple[_Record, list[_Record]]] = []
        self._owners: dict[int, _Record] = {}
        """The record of each object that gets a new object in its place."""

    def __len__(self) -> int:
        """Return the number of records (old objects) for which a new object has been made."""
        return len(self._records)

    def make(self, value: Any) -> Iterator[None]:
        """Make the new objects for the records (small objects of replaced classes) in a value, in steps of one object.

        The value may change between two steps. Call this method again to make objects for records that were added
        meanwhile.
        """
        seen: set[int] = set()
        alive: list[Any] = []
        stack: list[Iterator[tuple[PathStep, Any]]] = [iter(((("attribute", "()"), value),))]
        while stack:
            for _, part in stack[-1]:
                if id(type(part)) in LEAF_CLASSES or id(part) in seen or id(part) in self._owners:
                    continue
                seen.add(id(part))
                alive.append(part)
                yield
                shape = self._shapes.of(part)
                if not (isinstance(shape, ReplacedShape) and self._make_record(part)):
                    stack.append(shape.parts(part))
                    break
            else:
                stack.pop()

    def close(self) -> Iterator[None]:
        """Combine the new objects into groups for `adopt_into`, in steps of one group.

        `make` must not be called afterwards.
        """
        usable = [record for record in self._records if record.is_usable]
        for at in range(0, len(usable), GROUP):
            group = usable[at : at + GROUP]
            self._groups.append((_Record.together(group), group))
            yield

    def adopt_into(self, converter: Converter) -> None:
        """Let a converter use the objects that `make` has made, if the old objects have not changed since."""
        adopted = converter.adopted.keys()
        for together, records in self._groups:
            unchanged = [together]
            if not (adopted.isdisjoint(together.made) and together.content.is_unchanged()):
                usable = [record for record in records if adopted.isdisjoint(record.made)]
                unchanged = [record for record in usable if record.content.is_unchanged()]
            for record in unchanged:
                converter.adopt(record.unchanged, record.made)

    def release(self) -> Iterator[None]:
        """Drop all objects, in steps. Freeing them all at once would stop the event loop for too long.

        Call this method when nothing else refers to the objects.
        """
        self._owners.clear()
        self._records.clear()
        while self._groups:
            self._groups.pop()
            yield

    def _make_record(self, value: Any) -> bool:
        """Make the new object for `value` and its parts.

        Return False if there are too many parts, or if one of them can't be made ahead.
        """
        converter = Converter(self._shapes)
        done = converter.convert_within(value, MAX_OBJECTS, _is_allowed)
        if done is None or done.obstacles:
            return False
        found = converter.visited()
        holders = [one for one, shape, _ in found if type(shape) in _COPIED]
        copied = [one for one, shape, affected in found if affected and type(shape) in _COPIED]
        if any(map(weakref.getweakrefcount, copied)) or self._is_owned(copied):
            return False
        holders += _attribute_dicts(holders)
        content = _RecordContent.of(holders, copied)
        unchanged = [id(one) for one, _, affected in found if not affected]
        record = _Record(content, unchanged, converter.new_objects())
        self._records.append(record)
        self._owners.update(dict.fromkeys(map(id, copied), record))
        return True

    def _is_owned(self, copied: list[Any]) -> bool:
        """Return whether another record also has one of the objects `copied`. If so, neither record is usable."""
        owners = [owner for one in copied if (owner := self._owners.get(id(one))) is not None]
        for owner in owners:
            owner.is_usable = False
        return bool(owners)


def _is_allowed(shape: Shape) -> bool:
    return (shape.is_found_in_target or type(shape) in _COPIED) and not shape.runs_code


def _attribute_dicts(holders: list[Any]) -> list[Any]:
    """Return the dicts or other containers in which the interpreter keeps the attributes of `holders`."""
    known = set(map(id, holders))
    inner = {id(one): one for one in gc.get_referents(*holders) if isinstance(one, _CONTAINERS)}
    return [one for identity, one in inner.items() if identity not in known]

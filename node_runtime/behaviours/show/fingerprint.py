"""Fingerprints of states: records of all parts of a value, compared later to detect a mutation.

Nothing is copied, and no code of the state's classes runs. Plain values are compared by value, all other values by
identity and parts. Objects of the standard library and of the runtime, except containers, are not inspected, because a
lock, a future or an event loop may change while other code runs. If no other code runs during the walk (`alone`),
objects of some modules of the standard library are inspected, too.
"""

from __future__ import annotations

import sys
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from node_runtime.protocol.messages import Term

from .describe import DescribeLimits, describe
from .stdlib_probes import is_followed, is_held_lock, probe_contents
from .time_budget import TimeBudget
from .value_readers import LabelledParts, ValueReader, ValueReaders

_PLAIN: Final = frozenset(map(id, (type(None), bool, int, float, complex, str, bytes)))
"""The `id`s of the classes whose values are compared by value. Hashing a class could run code of its metaclass."""
_CONTAINERS: Final = (tuple, list, dict, set, frozenset)
_EXACT: Final = frozenset(map(id, (*_CONTAINERS, deque)))
_MODULE: Final = vars(type)["__module__"]
"""`_MODULE` and `_NAME` read the module and the name of a class without running code of its metaclass."""
_NAME: Final = vars(type)["__qualname__"]
_SHALLOW: Final = DescribeLimits(depth=0)
_OWN_PACKAGE: Final = __name__.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The recorded parts of `value`.

    `alive` keeps references to the parts, so that no new object can get the `id` of a part. `held` is True if a part
    was a held lock; this is detected only if no other thread runs during the walk.
    """

    value: object
    marks: list[object]
    alive: list[object]
    readers: ValueReaders
    alone: bool
    held: bool

    def still_fits(self) -> bool:
        """Return whether the value still consists of the same parts."""
        walk = _Fingerprinter(len(self.marks) + 1, None, self.readers, self.alone)
        return walk.record(self.value) and walk.marks == self.marks


def fingerprint(
    value: object, *, seconds: float, max_parts: int = 20_000, readers: ValueReaders | None = None, alone: bool = False
) -> Fingerprint | None:
    """Record the parts of `value`; None if that takes more than `seconds`, or if it has more than `max_parts` parts.

    If many values of the same classes are recorded, passing the same `readers` saves time. `alone` means that until the
    comparison, only the code under test runs in this OS process, without other threads.
    """
    walk = _Fingerprinter(max_parts, TimeBudget(seconds), readers or ValueReaders(), alone)
    return Fingerprint(value, walk.marks, walk.alive, walk.readers, alone, walk.held) if walk.record(value) else None


LeftOut = Callable[[type[Any], str], bool]


def have_equal_parts(
    one: object, other: object, *, seconds: float, max_parts: int = 20_000, left_out: LeftOut | None = None
) -> bool | None:
    """Return whether two values consist of equal parts; None if the comparison exceeds `seconds` or `max_parts`.

    Classes are compared by name, so that values of two versions of a class can be equal. Objects that are not inspected
    are compared by their short text only. `left_out(class, name)` returns whether an attribute doesn't count.
    """
    budget = TimeBudget(seconds)
    waiting: list[tuple[object, object]] = [(one, other)]
    seen: set[tuple[int, int]] = set()
    readers = ValueReaders()
    for _ in range(max_parts):
        if not waiting:
            return True
        left, right = waiting.pop()
        if left is right or (id(left), id(right)) in seen:
            continue
        seen.add((id(left), id(right)))
        pairs = _compared(left, right, readers, left_out)
        if pairs is None:
            return False
        waiting += pairs
        if budget.is_spent():
            break
    return None


def _compared(
    left: object, right: object, readers: ValueReaders, left_out: LeftOut | None
) -> list[tuple[object, object]] | None:
    """Return the parts of two values as pairs, for the caller to compare; None if the values certainly differ."""
    cls = type(left)
    if _name_of(cls) != _name_of(type(right)):
        return None
    if id(cls) in _PLAIN:
        return [] if left == right else None
    if _is_open(readers.of(cls), alone=True):
        return _pairs(left, right, readers, left_out)
    return [] if _short(left) == _short(right) else None


def _short(value: object) -> Term:
    """Return the short text of a value, unredacted: two values may differ only in a secret."""
    return describe(value, _SHALLOW, ValueReaders(redacts=False))


def _name_of(cls: type[Any]) -> tuple[object, object]:
    return (_MODULE.__get__(cls), _NAME.__get__(cls))


def _pairs(
    left: object, right: object, readers: ValueReaders, left_out: LeftOut | None
) -> list[tuple[object, object]] | None:
    """Return the parts of two values of one class, pair by pair; None if the parts differ in number or names."""
    length, parts = _all_parts(readers.of(type(left)), left)
    length_right, parts_right = _all_parts(readers.of(type(right)), right)
    if left_out is not None and parts and not isinstance(left, _CONTAINERS):
        parts, parts_right = (
            [pair for pair in each or () if not left_out(type(left), str(pair[0]))] for each in (parts, parts_right)
        )
        length, length_right = len(parts), len(parts_right)
    if length != length_right or (parts is None) is not (parts_right is None):
        return None
    left_parts, right_parts = list(parts or ()), list(parts_right or ())
    if isinstance(left, (set, frozenset)):
        return list(zip(_sorted_parts(left_parts), _sorted_parts(right_parts), strict=False))
    if not all(id(type(name)) in _PLAIN for name, _ in (*left_parts, *right_parts)):
        return [
            pair for one, other in zip(left_parts, right_parts, strict=False) for pair in zip(one, other, strict=True)
        ]
    by_name = dict(right_parts)
    if len(left_parts) != len(right_parts) or any(name not in by_name for name, _ in left_parts):
        return None
    return [(part, by_name[name]) for name, part in left_parts]


def _sorted_parts(parts: list[tuple[object, object]]) -> list[object]:
    """Return a set's parts in an order that equal sets share."""
    described = {id(part): _short(part) for _, part in parts}
    return sorted((part for _, part in parts), key=lambda part: (described[id(part)].type, described[id(part)].text))


class _Fingerprinter:
    def __init__(self, max_parts: int, budget: TimeBudget | None, readers: ValueReaders, alone: bool) -> None:
        self.marks: list[object] = []
        self.alive: list[object] = []
        self.readers = readers
        self.held = False
        self._max_parts = max_parts
        self._budget = budget
        self._alone = alone

    def record(self, value: object) -> bool:
        """Record all parts of `value`; returns False if there are too many, or if the time limit is exceeded."""
        marks, readers, max_parts, budget = self.marks, self.readers, self._max_parts, self._budget
        waiting: list[object] = [value]
        seen: set[int] = set()
        while waiting:
            if len(marks) >= max_parts:
                return False
            part = waiting.pop()
            cls = type(part)
            number = id(cls)
            if number in _PLAIN:
                marks.append((cls, part))
                continue
            if budget is not None and budget.is_spent():
                return False
            itself = id(part)
            marks.append(itself)
            if itself in seen:
                continue
            seen.add(itself)
            self.alive.append(part)
            if number not in _EXACT and (self._alone or cls is bytearray):
                self._probe(part, waiting)
            if _is_open(reader := readers.of(cls), self._alone):
                if number not in _EXACT:
                    marks.append(number)  # an object may get another class
                length, parts = _all_parts(reader, part)
                if length > max_parts:
                    return False
                marks.append(length)
                for labelled_part in parts or ():
                    waiting += labelled_part
        return True

    def _probe(self, part: object, waiting: list[object]) -> None:
        found = probe_contents(part)
        if found is not None:
            mark, parts = found
            self.marks.append(mark)
            waiting += parts
            self.held = self.held or is_held_lock(part)


def _all_parts(reader: ValueReader, value: Any) -> LabelledParts:
    """Return the number of a value's parts, and the labelled parts. Parts include the attributes of a container."""
    if reader.attributes is None:
        return reader.parts(value)
    length, parts = reader.parts(value)
    if issubclass(reader.cls, OrderedDict):
        parts = [(name, dict.__getitem__(value, name)) for name in OrderedDict.__iter__(value)]
    count, attributes = reader.attributes(value)
    return length + count, [*(parts or ()), *(attributes or ())]


def _is_open(reader: ValueReader, alone: bool) -> bool:
    """Return whether a fingerprint includes the parts of values of the reader's class.

    `alone` means that no other code runs meanwhile.
    """
    root = reader.package
    if root is None or root == _OWN_PACKAGE:
        return issubclass(reader.cls, _CONTAINERS)
    if root in sys.stdlib_module_names:
        return root == "collections" or issubclass(reader.cls, _CONTAINERS) or (alone and is_followed(reader.cls, root))
    return True

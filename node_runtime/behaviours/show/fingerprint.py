"""Whether a state is still what it was: all that it is made of, noted down and compared later.

Nothing is copied and no code of the state's classes runs: plain values are compared as such, everything else by its
identity and its parts. Objects of the standard library and of the runtime are not looked into, except containers: a
lock, a future or a loop changes by itself. Where nothing else runs (`alone`) most of them are looked into, too.
"""

from __future__ import annotations

import sys
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any, Final

from .describe import Limits, describe
from .stdlib_probes import inside, is_followed, is_held
from .time_budget import Budget
from .value_readers import Kind, Kinds, Parts

_PLAIN: Final = frozenset(map(id, (type(None), bool, int, float, complex, str, bytes)))
"""By identity: a class with a metaclass of its own may run code when it is hashed or compared."""
_CONTAINERS: Final = (tuple, list, dict, set, frozenset)
_EXACT: Final = frozenset(map(id, (*_CONTAINERS, deque)))
_MODULE: Final = vars(type)["__module__"]
"""What a class says of itself, through no metaclass."""
_NAME: Final = vars(type)["__qualname__"]
_AT_A_GLANCE: Final = Limits(depth=0)
_OURS: Final = __name__.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What `value` was made of. `alive` keeps those objects, so that no other one can get the identity of one.

    `held`: a lock was among them that somebody held; known only to a walk that was `alone`.
    """

    value: object
    marks: list[object]
    alive: list[object]
    kinds: Kinds
    alone: bool
    held: bool

    def still_fits(self) -> bool:
        """Whether the very same value is made of the very same parts now."""
        walk = _Walk(len(self.marks) + 1, None, self.kinds, self.alone)
        return walk.all_of(self.value) and walk.marks == self.marks


def fingerprint(
    value: object, *, seconds: float, most: int = 20_000, kinds: Kinds | None = None, alone: bool = False
) -> Fingerprint | None:
    """Note down what `value` is made of; None if that takes more than `seconds`, or are more than `most` parts.

    Who notes down many values of the same classes gives the same `kinds` for all of them. `alone`: until it is compared
    nothing runs but what may have changed it, in no thread either.
    """
    walk = _Walk(most, Budget(seconds), kinds or Kinds(), alone)
    return Fingerprint(value, walk.marks, walk.alive, walk.kinds, alone, walk.held) if walk.all_of(value) else None


def alike(one: object, other: object, *, seconds: float, most: int = 20_000) -> bool | None:
    """Whether two values are made of equal parts; None if that takes too long to say.

    Classes count by their names, so that a value of a class's next version can be like one of this version. Of objects
    that are not looked into only those that can be written down are compared.
    """
    budget = Budget(seconds)
    waiting: list[tuple[object, object]] = [(one, other)]
    seen: set[tuple[int, int]] = set()
    kinds = Kinds()
    for _ in range(most):
        if not waiting:
            return True
        left, right = waiting.pop()
        if left is right or (id(left), id(right)) in seen:
            continue
        seen.add((id(left), id(right)))
        pairs = _compared(left, right, kinds)
        if pairs is None:
            return False
        waiting += pairs
        if budget.is_over():
            break
    return None


def _compared(left: object, right: object, kinds: Kinds) -> list[tuple[object, object]] | None:
    """What of two values is left to be compared, pair by pair; None if they differ already."""
    kind = type(left)
    if _named(kind) != _named(type(right)):
        return None
    if id(kind) in _PLAIN:
        return [] if left == right else None
    if _is_open(kinds.of(kind), alone=True):
        return _pairs(left, right, kinds)
    return [] if describe(left, _AT_A_GLANCE) == describe(right, _AT_A_GLANCE) else None


def _named(kind: type[Any]) -> tuple[object, object]:
    return (_MODULE.__get__(kind), _NAME.__get__(kind))


def _pairs(left: object, right: object, kinds: Kinds) -> list[tuple[object, object]] | None:
    """The parts of two values of one kind, pair by pair; None if they differ in number or names."""
    length, parts = _all_parts(kinds.of(type(left)), left)
    length_right, parts_right = _all_parts(kinds.of(type(right)), right)
    if length != length_right or (parts is None) is not (parts_right is None):
        return None
    ours, theirs = list(parts or ()), list(parts_right or ())
    if isinstance(left, (set, frozenset)):
        return list(zip(_in_order(ours), _in_order(theirs), strict=False))
    if not all(id(type(name)) in _PLAIN for name, _ in (*ours, *theirs)):
        return [both for mine, yours in zip(ours, theirs, strict=False) for both in zip(mine, yours, strict=True)]
    named = dict(theirs)
    if len(ours) != len(theirs) or any(name not in named for name, _ in ours):
        return None
    return [(part, named[name]) for name, part in ours]


def _in_order(parts: list[tuple[object, object]]) -> list[object]:
    """A set's parts, so that two equal sets have them in the same order."""
    written = {id(part): describe(part, _AT_A_GLANCE) for _, part in parts}
    return sorted((part for _, part in parts), key=lambda part: (written[id(part)].type, written[id(part)].text))


class _Walk:
    def __init__(self, most: int, budget: Budget | None, kinds: Kinds, alone: bool) -> None:
        self.marks: list[object] = []
        self.alive: list[object] = []
        self.kinds = kinds
        self.held = False
        self._most = most
        self._budget = budget
        self._alone = alone

    def all_of(self, value: object) -> bool:
        """Note everything; False if there is too much of it."""
        marks, kinds, most, budget = self.marks, self.kinds, self._most, self._budget
        waiting: list[object] = [value]
        seen: set[int] = set()
        while waiting:
            if len(marks) >= most:
                return False
            one = waiting.pop()
            cls = type(one)
            number = id(cls)
            if number in _PLAIN:
                marks.append((cls, one))
                continue
            if budget is not None and budget.is_over():
                return False
            itself = id(one)
            marks.append(itself)
            if itself in seen:
                continue
            seen.add(itself)
            self.alive.append(one)
            if number not in _EXACT and (self._alone or cls is bytearray):
                self._look_inside(one, waiting)
            if _is_open(kind := kinds.of(cls), self._alone):
                if number not in _EXACT:
                    marks.append(number)  # an object may get another class
                length, parts = _all_parts(kind, one)
                if length > most:
                    return False
                marks.append(length)
                for part in parts or ():
                    waiting += part
        return True

    def _look_inside(self, one: object, waiting: list[object]) -> None:
        found = inside(one)
        if found is not None:
            mark, parts = found
            self.marks.append(mark)
            waiting += parts
            self.held = self.held or is_held(one)


def _all_parts(kind: Kind, value: Any) -> Parts:
    """The labelled parts of a value and how many they are; a container's attributes are among them."""
    if kind.attributes is None:
        return kind.parts(value)
    length, parts = kind.parts(value)
    if issubclass(kind.cls, OrderedDict):
        parts = [(name, dict.__getitem__(value, name)) for name in OrderedDict.__iter__(value)]
    more, own = kind.attributes(value)
    return length + more, [*(parts or ()), *(own or ())]


def _is_open(kind: Kind, alone: bool) -> bool:
    """Whether values of this class are looked into."""
    root = kind.package
    if root is None or root == _OURS:
        return issubclass(kind.cls, _CONTAINERS)
    if root in sys.stdlib_module_names:
        return root == "collections" or issubclass(kind.cls, _CONTAINERS) or (alone and is_followed(kind.cls, root))
    return True

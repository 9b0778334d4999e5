"""Whether a state is still what it was: all that it is made of, noted down and compared later.

Nothing is copied and no code of the state's classes runs: plain values are compared as such, everything else by its
identity and its parts. Objects of the standard library and of the runtime are not looked into, except containers: a
logger, a future or a loop changes by itself.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any, Final

from .describe import Limits, describe
from .kinds import Kind, Kinds

_PLAIN: Final = frozenset(map(id, (type(None), bool, int, float, complex, str, bytes)))
"""By identity: a class with a metaclass of its own may run code when it is hashed or compared."""
_CONTAINERS: Final = (tuple, list, dict, set, frozenset)
_MODULE: Final = vars(type)["__module__"]
"""What a class says of itself, through no metaclass."""
_NAME: Final = vars(type)["__qualname__"]
_AT_A_GLANCE: Final = Limits(depth=0)
_OURS: Final = __name__.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What `value` was made of. `alive` keeps those objects, so that no other one can get the identity of one."""

    value: object
    marks: list[object]
    alive: list[object]
    kinds: Kinds

    def still_fits(self) -> bool:
        """Whether the very same value is made of the very same parts now."""
        walk = _Walk(len(self.marks) + 1, float("inf"), self.kinds)
        return walk.all_of(self.value) and walk.marks == self.marks


def fingerprint(value: object, *, seconds: float, most: int = 20_000, kinds: Kinds | None = None) -> Fingerprint | None:
    """Note down what `value` is made of; None if that takes more than `seconds`, or are more than `most` parts.

    Who notes down many values of the same classes gives the same `kinds` for all of them.
    """
    walk = _Walk(most, time.perf_counter() + seconds, kinds or Kinds())
    return Fingerprint(value, walk.marks, walk.alive, walk.kinds) if walk.all_of(value) else None


def alike(one: object, other: object, *, seconds: float, most: int = 20_000) -> bool | None:
    """Whether two values are made of equal parts; None if that takes too long to say.

    Classes count by their names, so that a value of a class's next version can be like one of this version. Of objects
    that are not looked into only those that can be written down are compared.
    """
    deadline = time.perf_counter() + seconds
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
        if time.perf_counter() > deadline:
            break
    return None


def _compared(left: object, right: object, kinds: Kinds) -> list[tuple[object, object]] | None:
    """What of two values is left to be compared, pair by pair; None if they differ already."""
    kind = type(left)
    if _named(kind) != _named(type(right)):
        return None
    if id(kind) in _PLAIN:
        return [] if left == right else None
    if _is_open(kinds.of(kind)):
        return _pairs(left, right, kinds)
    return [] if describe(left, _AT_A_GLANCE) == describe(right, _AT_A_GLANCE) else None


def _named(kind: type[Any]) -> tuple[object, object]:
    return (_MODULE.__get__(kind), _NAME.__get__(kind))


def _pairs(left: object, right: object, kinds: Kinds) -> list[tuple[object, object]] | None:
    """The parts of two values of one kind, pair by pair; None if they differ in number or names."""
    length, parts = kinds.of(type(left)).parts(left)
    length_right, parts_right = kinds.of(type(right)).parts(right)
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
    def __init__(self, most: int, deadline: float, kinds: Kinds) -> None:
        self.marks: list[object] = []
        self.alive: list[object] = []
        self.kinds = kinds
        self._most = most
        self._deadline = deadline

    def all_of(self, value: object) -> bool:
        """Note everything; False if there is too much of it."""
        marks, kinds, most = self.marks, self.kinds, self._most
        waiting: list[object] = [value]
        seen: set[int] = set()
        while waiting:
            if len(marks) >= most:
                return False
            one = waiting.pop()
            cls = type(one)
            if id(cls) in _PLAIN:
                marks.append((cls, one))
                continue
            if time.perf_counter() > self._deadline:
                return False
            if cls is bytearray:
                marks.append((id(one), bytes(one)))  # type: ignore[call-overload]  # its type is known by `is`
                continue
            marks.append(id(one))
            self.alive.append(one)
            if id(one) not in seen and _is_open(kind := kinds.of(cls)):
                seen.add(id(one))
                length, parts = kind.parts(one)
                if length > most:
                    return False
                marks.append(length)
                for part in parts or ():
                    waiting += part
        return True


def _is_open(kind: Kind) -> bool:
    """Whether values of this class are looked into."""
    root = kind.package
    if root is None or root == _OURS or root in sys.stdlib_module_names:
        return root == "collections" or issubclass(kind.cls, _CONTAINERS)
    return True

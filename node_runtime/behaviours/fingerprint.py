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

from .describe import parts_of

_PLAIN: Final = (type(None), bool, int, float, complex, str, bytes)
_CONTAINERS: Final = (tuple, list, dict, set, frozenset)
_MODULE: Final = vars(type)["__module__"]
"""What a class says of itself, through no metaclass."""
_OURS: Final = __name__.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What `value` was made of. `alive` keeps those objects, so that no other one can get the identity of one."""

    value: object
    marks: list[object]
    alive: list[object]

    def still_fits(self) -> bool:
        """Whether the very same value is made of the very same parts now."""
        walk = _Walk(len(self.marks) + 1, float("inf"))
        return walk.all_of(self.value) and walk.marks == self.marks


def fingerprint(value: object, *, seconds: float, most: int = 20_000) -> Fingerprint | None:
    """Note down what `value` is made of; None if that takes more than `seconds`, or are more than `most` parts."""
    walk = _Walk(most, time.perf_counter() + seconds)
    return Fingerprint(value, walk.marks, walk.alive) if walk.all_of(value) else None


class _Walk:
    def __init__(self, most: int, deadline: float) -> None:
        self.marks: list[object] = []
        self.alive: list[object] = []
        self._most = most
        self._deadline = deadline

    def all_of(self, value: object) -> bool:
        """Note everything; False if there is too much of it."""
        waiting: list[object] = [value]
        seen: set[int] = set()
        while waiting:
            if len(self.marks) >= self._most or time.perf_counter() > self._deadline:
                return False
            one = waiting.pop()
            kind = type(one)
            if any(kind is plain for plain in _PLAIN):
                self.marks.append((kind, one))
                continue
            if kind is bytearray:
                self.marks.append((id(one), bytes(one)))  # type: ignore[call-overload]  # its type is known by `is`
                continue
            self.marks.append(id(one))
            self.alive.append(one)
            if id(one) not in seen and _is_open(kind):
                seen.add(id(one))
                length, parts = parts_of(one)
                if length > self._most:
                    return False
                self.marks.append(length)
                for name, part in parts or ():
                    waiting += (name, part)
        return True


def _is_open(kind: type[Any]) -> bool:
    """Whether values of this class are looked into."""
    if issubclass(kind, _CONTAINERS):
        return True
    module: object = _MODULE.__get__(kind)
    if type(module) is not str:
        return False
    root = module.partition(".")[0]
    return root == "collections" or (root != _OURS and root not in sys.stdlib_module_names)

"""A search through values for functions of replaced or deleted versions, and for instances of their classes.

The search follows the references that the cycle collector sees, and those that `migration/hidden_parts.py` reads. So
the search runs no code of the values, and also finds values that C code holds. Each object is visited once, even if it
is below several roots.

Loggers, event loops, tasks and threads are not followed, because they refer to everything in a node. The runtime's own
objects are followed only if they hold values for their owner. The target of a weak reference is checked, but not
followed, because it belongs to another object.
"""

from __future__ import annotations

import enum
import gc
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import AsyncGeneratorType, CoroutineType, FrameType, FunctionType, GeneratorType, MethodType
from typing import Any, Final, Literal, Protocol

from node_runtime.behaviours.show.time_budget import TimeBudget
from node_runtime.releases.migration.hidden_parts import ZONED, ReadParts, is_weak, reader_for, target_of, zone_of
from node_runtime.releases.migration.holders import is_holder
from node_runtime.releases.migration.named_objects import NamedObject

Sort = Literal["instance", "exception", "class", "function", "bound method", "coroutine", "generator"]
SUSPENDED_SORTS: Final = ("coroutine", "generator")
"""The sorts of values that no migration can convert: they would continue in the version in which they began."""
Trail = tuple[Any, Any] | None
"""The objects on the way from a root to a value: the object nearest to the value, and the trail to that object."""

SLICE: Final = 50_000
"""After this number of objects, the search turns to the next root, and continues below the present root later."""
_BETWEEN_CLOCK_READS: Final = 256
_SUSPENDED: Final = frozenset(map(id, (CoroutineType, GeneratorType, AsyncGeneratorType)))
_FRAMES: Final = ("cr_frame", "gi_frame", "ag_frame")
_LEAF, _OPEN, _INSTANCE, _MEMBER, _CLASS, _FUNCTION, _METHOD, _FRAME, _WEAK, _ZONED, _BARE = range(11)


class SoughtCode(Protocol):
    """The classes and functions whose instances and uses a `ValueSearch` looks for."""

    def has_class(self, cls: type[Any]) -> bool:
        """Return whether the search looks for instances of a class."""

    def has_function(self, function: FunctionType) -> bool:
        """Return whether the search looks for a function."""

    def named_object(self, value: object) -> NamedObject | None:
        """Return the global variable in which a replaced module keeps `value`, a plain `object()`.

        Return None for other values.
        """

    def has_frame(self, frame: FrameType | None) -> bool:
        """Return whether the search looks for the code of a suspended frame."""


@dataclass(slots=True)
class FoundValue:
    """The values of one class, or the uses of one function, below one root.

    `thing` is the class or function, `trail` leads to the first value, and `value` is this value.
    """

    sort: Sort
    thing: Any
    value: Any
    trail: Trail


class ValueSearch:
    """One search below several roots, which are numbered in their order, for at most `seconds` of processor time.

    Afterwards, `found` has the findings of each root by its number, and `missed` has the numbers of the roots that were
    not searched completely.
    """

    def __init__(self, code: SoughtCode, seconds: float) -> None:
        self.found: dict[int, dict[int, FoundValue]] = {}
        self.missed: set[int] = set()
        self._code = code
        self._budget = TimeBudget(seconds)
        self._kinds: dict[int, int] = {}
        self._readers: dict[int, ReadParts] = {}
        self._seen: dict[int, int] = {}
        self._shared: dict[int, tuple[Any, list[tuple[int, Trail]]]] = {}

    def run(self, roots: Sequence[Any]) -> None:
        """Search below all roots. A root that takes long is continued after each other root has had its turn."""
        waiting: deque[tuple[int, list[tuple[Any, Trail]]]] = deque()
        for number, root in enumerate(roots):
            waiting.append((number, [((root,), None)]))
        while waiting:
            number, stack = waiting.popleft()
            if self._budget.is_spent():
                self.missed.update((number, *(other for other, _ in waiting)))
                break
            self._advance(number, stack, SLICE)
            if stack:
                waiting.append((number, stack))
        if self.found:
            self._share_findings()

    def _advance(self, root: int, stack: list[tuple[Any, Trail]], limit: int) -> None:
        """Visit the objects on the stack, and those to which they refer: at most `limit`, and until the time is up."""
        kinds, seen, readers = self._kinds, self._seen, self._readers
        until_clock = _BETWEEN_CLOCK_READS
        while stack and limit > 0:
            value, trail = stack.pop()
            cls = type(value)
            if until_clock <= 0:
                until_clock = _BETWEEN_CLOCK_READS
                if self._budget.is_spent():
                    stack.append((value, trail))
                    return
            parts = value if cls is list or cls is tuple else readers.get(id(cls), gc.get_referents)(value)
            limit -= len(parts) + 1
            until_clock -= len(parts) + 1
            inner: Trail = (value, trail)
            for part in parts:
                kind = kinds.get(id(type(part)))
                if kind is None:
                    kind = self._classify(type(part))
                if kind == _LEAF or part is cls:
                    continue
                if kind != _OPEN and not self._check(root, part, kind, inner):
                    continue
                owner = seen.get(id(part))
                if owner is None:
                    seen[id(part)] = root
                    stack.append((part, inner))
                elif owner != root:
                    self._shared.setdefault(id(part), (part, []))[1].append((root, inner))

    def _check(self, root: int, part: Any, kind: int, trail: Trail) -> bool:
        """Record `part` if it is a finding. Return whether the search continues below it."""
        if kind in (_INSTANCE, _MEMBER):
            exception = issubclass(type(part), BaseException)
            self._record(root, "exception" if exception else "instance", type(part), part, trail)
        elif kind == _CLASS:
            if self._code.has_class(part):
                self._record(root, "class", part, part, trail)
        elif kind == _FRAME:
            frame = next(getattr(part, name) for name in _FRAMES if hasattr(part, name))
            if self._code.has_frame(frame):
                self._record(root, "coroutine" if type(part) is CoroutineType else "generator", part, part, trail)
                return False
        elif kind == _BARE:
            if (named := self._code.named_object(part)) is not None:
                self._record(root, "instance", named, part, trail)
            return False
        elif kind == _WEAK:
            self._check_aside(root, target_of(part), (part, trail))
        elif kind == _ZONED:
            self._check_aside(root, zone_of(part), (part, trail))
            return False
        else:
            function = part.__func__ if kind == _METHOD else part
            if type(function) is FunctionType and self._code.has_function(function):
                self._record(root, "function" if kind == _FUNCTION else "bound method", function, part, trail)
                return kind == _METHOD
        return kind in (_INSTANCE, _METHOD, _FUNCTION, _FRAME, _WEAK)

    def _check_aside(self, root: int, part: Any, trail: Trail) -> None:
        """Record `part` if it is a finding, and do not search below it."""
        kind = self._classify(type(part))
        if kind not in (_LEAF, _OPEN):
            self._check(root, part, kind, trail)

    def _record(self, root: int, sort: Sort, thing: Any, value: Any, trail: Trail) -> None:
        found = self.found.setdefault(root, {})
        known = found.get(id(thing))
        if known is None or (known.sort == "class" and sort == "instance"):
            found[id(thing)] = FoundValue(sort, thing, value, trail)

    def _classify(self, cls: type[Any]) -> int:
        kind = self._kinds[id(cls)] = self._kind(cls)
        self._readers[id(cls)] = reader_for(cls)
        return kind

    def _kind(self, cls: type[Any]) -> int:  # noqa: PLR0911 - one line for each kind
        if issubclass(cls, type):
            return _CLASS
        if id(cls) in _SUSPENDED:
            return _FRAME
        if cls is FunctionType or cls is MethodType:
            return _FUNCTION if cls is FunctionType else _METHOD
        if cls is object:
            return _BARE
        if self._code.has_class(cls):
            return _MEMBER if issubclass(cls, enum.Enum) else _INSTANCE
        if any(cls is zoned for zoned in ZONED):
            return _ZONED
        if is_weak(cls):
            return _WEAK
        return _OPEN if is_holder(cls) else _LEAF

    def _share_findings(self) -> None:
        """Give the findings below a shared object to every root that refers to it."""
        for part, users in self._shared.values():
            if self._budget.is_spent():
                self.missed.update(root for root, _ in users)
                continue
            for finding in self._below(part):
                for root, trail in users:
                    self._record(root, finding.sort, finding.thing, finding.value, _joined(finding.trail, trail))

    def _below(self, part: Any) -> Iterable[FoundValue]:
        """Return the findings below one object, except findings about the object itself."""
        alone = ValueSearch.__new__(ValueSearch)
        alone.found, alone.missed, alone._code, alone._budget = {}, set(), self._code, self._budget
        alone._kinds, alone._readers, alone._seen, alone._shared = self._kinds, self._readers, {id(part): 0}, {}
        stack: list[tuple[Any, Trail]] = [(part, None)]
        while stack and not self._budget.is_spent():
            alone._advance(0, stack, SLICE)
        return alone.found.get(0, {}).values()


def _joined(trail: Trail, before: Trail) -> Trail:
    """Return the trail that first leads along `before` and then along `trail`."""
    steps = []
    while trail is not None:
        step, trail = trail
        steps.append(step)
    for step in reversed(steps):
        before = (step, before)
    return before

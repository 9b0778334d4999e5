"""A search through values for functions of replaced or deleted versions, and for instances of the versions' classes.

The search follows the references that the cycle collector sees. So it runs no code of the values, and also reads what C
code holds. It is iterative and visits each object once. It follows objects of the standard library and of the runtime
only if they hold values for their owner, because a logger or an event loop refers to everything in a node. An object
that several roots share is visited once for all of them.
"""

from __future__ import annotations

import asyncio
import enum
import gc
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import (
    AsyncGeneratorType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MethodType,
    ModuleType,
    TracebackType,
)
from typing import Any, Final, Literal

from node_runtime.behaviours.show.raw_reads import module_of, mro_of
from node_runtime.behaviours.show.stdlib_probes import is_followed
from node_runtime.behaviours.show.time_budget import TimeBudget
from node_runtime.code import HotModule
from node_runtime.releases.migration import RUNTIME_RECORDS

from .replaced_code import ReplacedCode

Sort = Literal["instance", "exception", "class", "function", "bound method", "coroutine", "generator"]
SUSPENDED_SORTS: Final = ("coroutine", "generator")
"""The sorts of values that no migration can convert: they would continue in the version in which they began."""
Trail = tuple[Any, Any] | None
"""The objects on the way from a root to a value: the object nearest to the value, and the trail to that object."""

SLICE: Final = 50_000
"""After this number of objects, the search continues with the next root, and comes back to this root later."""
_BETWEEN_CLOCK_READS: Final = 256
_HAS_REFERENCES: Final = 1 << 14
"""Py_TPFLAGS_HAVE_GC: the flag of the classes whose objects the cycle collector follows."""
_CONTAINERS: Final = (tuple, list, dict, set, frozenset, deque)
_NOT_FOLLOWED: Final = frozenset(map(id, (
    ModuleType, HotModule, FrameType, CodeType, TracebackType, asyncio.AbstractEventLoop, asyncio.Task,
)))  # fmt: skip
"""Identities of classes, because a class with its own metaclass may run code when it is hashed or compared."""
_SUSPENDED: Final = frozenset(map(id, (CoroutineType, GeneratorType, AsyncGeneratorType)))
_FRAMES: Final = ("cr_frame", "gi_frame", "ag_frame")
_OPEN_LIBRARY: Final = frozenset({"builtins", "collections", "itertools"})
_HOLDING_LIBRARY: Final = frozenset({"contextlib", "json", "operator", "shelve", "sqlite3"})
"""Modules of the standard library whose objects hold functions for their owner, although no walk shows their insides.

Examples are the `row_factory` of a connection to a database, and the callbacks of an `ExitStack`.
"""
_OWN_PACKAGE: Final = __name__.partition(".")[0]

_LEAF, _OPEN, _INSTANCE, _MEMBER, _CLASS, _FUNCTION, _METHOD, _FRAME = range(8)


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

    Afterwards, `found` has the findings of each root by its number, and `missed` the roots that were not searched
    completely.
    """

    def __init__(self, code: ReplacedCode, seconds: float) -> None:
        self.found: dict[int, dict[int, FoundValue]] = {}
        self.missed: set[int] = set()
        self._code = code
        self._budget = TimeBudget(seconds)
        self._kinds: dict[int, int] = {}
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
        """Visit the objects on the stack and those that they refer to, until the limit or the end of the budget."""
        kinds, seen, referents = self._kinds, self._seen, gc.get_referents
        until_clock = _BETWEEN_CLOCK_READS
        while stack and limit > 0:
            value, trail = stack.pop()
            cls = type(value)
            if until_clock <= 0:
                until_clock = _BETWEEN_CLOCK_READS
                if self._budget.is_spent():
                    stack.append((value, trail))
                    return
            parts = value if cls is list or cls is tuple else self._parts(value, cls) or referents(value)
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

    def _parts(self, value: Any, cls: type[Any]) -> Sequence[Any]:
        """Return the parts of an object if the references that the collector sees lead too far; () if not."""
        if cls is FunctionType:
            return [value.__closure__, value.__defaults__, value.__kwdefaults__, value.__dict__]
        if cls is dict and (dict.__contains__(value, "__builtins__") or dict.__contains__(value, "__spec__")):
            return (None,)  # the namespace of a module
        return ()

    def _check(self, root: int, part: Any, kind: int, trail: Trail) -> bool:
        """Record a finding. Return whether the search continues below this object."""
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
        else:
            function = part.__func__ if kind == _METHOD else part
            if type(function) is FunctionType and self._code.has_function(function):
                self._record(root, "function" if kind == _FUNCTION else "bound method", function, part, trail)
                return kind == _METHOD
        return kind in (_INSTANCE, _METHOD, _FUNCTION)

    def _record(self, root: int, sort: Sort, thing: Any, value: Any, trail: Trail) -> None:
        found = self.found.setdefault(root, {})
        known = found.get(id(thing))
        if known is None or (known.sort == "class" and sort == "instance"):
            found[id(thing)] = FoundValue(sort, thing, value, trail)

    def _classify(self, cls: type[Any]) -> int:
        kind = self._kinds[id(cls)] = self._kind(cls)
        return kind

    def _kind(self, cls: type[Any]) -> int:  # noqa: PLR0911 - one line for each kind
        if issubclass(cls, type):
            return _CLASS
        if id(cls) in _SUSPENDED:
            return _FRAME
        if cls is FunctionType or cls is MethodType:
            return _FUNCTION if cls is FunctionType else _METHOD
        if self._code.has_class(cls):
            return _MEMBER if issubclass(cls, enum.Enum) else _INSTANCE
        if not cls.__flags__ & _HAS_REFERENCES or any(id(base) in _NOT_FOLLOWED for base in mro_of(cls)):
            return _LEAF
        module = module_of(cls) or ""
        package = module.partition(".")[0]
        if issubclass(cls, _CONTAINERS) or module in RUNTIME_RECORDS or package in _OPEN_LIBRARY:
            return _OPEN
        if package == _OWN_PACKAGE:
            return _LEAF
        is_open = package not in sys.stdlib_module_names or package in _HOLDING_LIBRARY or is_followed(cls, package)
        return _OPEN if is_open else _LEAF

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
        """Return the findings below one object, without those of the object itself."""
        alone = ValueSearch.__new__(ValueSearch)
        alone.found, alone.missed, alone._code, alone._budget = {}, set(), self._code, self._budget
        alone._kinds, alone._seen, alone._shared = self._kinds, {id(part): 0}, {}
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

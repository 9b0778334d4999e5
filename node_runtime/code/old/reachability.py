"""Whether anything outside a version's own object graph still reaches it.

A version's namespace and what belongs to it (functions, classes, closures, descriptors, instances) refer to each
other, so a reference count alone says nothing. But each reference that comes from inside can be counted, for
`gc.get_referents` names it. What an object has beyond these comes from outside, and if such an object reaches the
namespace, the version is held. The cycle collector decides in the same way; here it is restricted to one version's
objects, so neither the size of the heap nor a frozen part of it matters.

It errs on one side only. Where the walk stops (at other modules, or when what a module refers to is too much)
references count as coming from outside: a version may seem held that isn't, never the other way.
"""

from __future__ import annotations

import gc
import sys
import typing
from collections import Counter, deque
from types import CellType, FunctionType, GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from node_runtime.code.batch import Batch
from node_runtime.code.module import HotModule
from node_runtime.code.module_table import ModuleTable
from node_runtime.code.version import Hot, Version

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from node_runtime.code.module import Namespace

ELSEWHERE: Final = 10_000
"""How many references are followed, for each version, through what is not plainly a part of it."""

_CONTAINERS: Final = (dict, list, tuple, set, frozenset, deque)
_NOT_FOLLOWED: Final = (ModuleType, HotModule, ModuleTable, Hot, Version, Batch)
"""Other modules, and what the code server itself knows of all modules."""
_PARTS: Final = (tuple, CellType, property, staticmethod, classmethod, GetSetDescriptorType, MemberDescriptorType)
"""What functions and classes are made of, besides their dicts."""


class Graph:
    """The objects of some versions, and how often they refer to each other.

    `ignored` counts, by identity, the references that are known and hold nothing: the code server's own records, say.
    `others` are namespaces of versions that were dropped: they may be garbage that the collector has not seen yet.
    """

    def __init__(
        self, versions: Collection[Version], ignored: Counter[int], others: Collection[Namespace] = ()
    ) -> None:
        self._namespaces = {id(version.namespace) for version in versions} | {id(namespace) for namespace in others}
        self._names = {version.unit.source.module for version in versions} | {other["__name__"] for other in others}
        self._records = {id(version) for version in versions}
        self._ignored = ignored
        self._objects: list[Any] = []
        self._inside: dict[int, int] = {}
        self._own: deque[Any] = deque()
        self._elsewhere: deque[Any] = deque()
        for version in versions:
            self._meet(version, self._own)
        for namespace in others:
            if id(namespace) not in self._inside:
                self._meet(namespace, self._own)
        self._explore(ELSEWHERE * len(versions))

    def held(self) -> set[int]:
        """The identities of the namespaces that something outside reaches."""
        return self.reached(self.roots())

    def reached(self, things: Iterable[Any]) -> set[int]:
        """The identities of the namespaces that some of the graph's objects reach."""
        waiting = list(things)
        reached: set[int] = set()
        while waiting:
            thing = waiting.pop()
            if id(thing) not in reached:
                reached.add(id(thing))
                waiting += [other for other in gc.get_referents(thing) if id(other) in self._inside]
        return reached & self._namespaces

    def roots(self) -> list[Any]:
        """The objects that something outside refers to."""
        inside, ignored, records = self._inside, self._ignored, self._records
        spare = 0
        for thing in [object()]:  # how many references a list and this loop make
            spare = sys.getrefcount(thing)
        found = []
        for thing in self._objects:
            count = sys.getrefcount(thing) - spare
            key = id(thing)
            if count > inside[key] + ignored[key] and key not in records:
                found.append(thing)
        return found

    def owns(self, thing: object) -> bool:
        """Whether `thing` belongs to the graph."""
        return id(thing) in self._inside

    # ------------------------------------------------------------ finding the objects

    def _explore(self, bound: int) -> None:
        """All that is plainly the versions' own, then of the rest as much as the bound allows, the nearest first."""
        while self._own or self._elsewhere:
            while self._own:
                self._visit(self._own.popleft(), own=True)
            if self._elsewhere:
                thing = self._elsewhere.popleft()
                if type(thing) not in _CONTAINERS or len(thing) < bound:
                    bound -= self._visit(thing, own=False)
            if bound <= 0:
                self._elsewhere.clear()

    def _meet(self, thing: Any, queue: deque[Any]) -> None:
        self._inside[id(thing)] = 0
        self._objects.append(thing)
        queue.append(thing)

    def _visit(self, thing: Any, *, own: bool) -> int:
        inside, referents = self._inside, gc.get_referents(thing)
        has_dict = own and (type(thing) is FunctionType or issubclass(type(thing), type))
        for other in referents:
            key = id(other)
            if key not in inside:
                queue = self._queue_for(other, own, has_dict) if gc.is_tracked(other) else None
                if queue is None:
                    continue
                self._meet(other, queue)
            inside[key] += 1
        return len(referents)

    def _queue_for(self, thing: Any, of_own: bool, has_dict: bool) -> deque[Any] | None:
        """Where an object that was met for the first time belongs; None if it isn't followed."""
        kind = type(thing)
        if kind is dict:
            if id(thing) in self._namespaces:
                return self._own
            if "__spec__" in thing:
                return None  # another module's namespace
            own = has_dict
        elif kind is FunctionType:
            own = id(thing.__globals__) in self._namespaces
        elif issubclass(kind, type):
            own = thing.__module__ in self._names
            if not own and _is_known(thing):
                return None
        elif issubclass(kind, _NOT_FOLLOWED):
            return None
        else:
            own = of_own and kind in _PARTS
        return self._own if own else self._elsewhere


def _is_known(cls: type) -> bool:
    """The class stands under its name in its module, so it is the module's."""
    module = sys.modules.get(cls.__module__)
    return module is not None and cls.__qualname__.partition(".")[0] in module.__dict__


def held_namespaces(
    versions: Collection[Version], ignored: Counter[int], others: Collection[Namespace] = ()
) -> set[int]:
    """The identities of the versions' namespaces that something outside of them reaches.

    Before a version is called held, two things that hold nothing are put away: the caches of `typing`, which keep the
    classes that were ever put into brackets, as in `GenServer[State]`, and the garbage of the youngest generations,
    which is where the cycles of a class or an exception just dropped are. Both take a fraction of a millisecond.
    """
    held = Graph(versions, ignored, others).held()
    if held:
        for clear in getattr(typing, "_cleanups", ()):
            clear()
        collect_young()
        held = Graph(versions, ignored, others).held()
    return held


def collect_young() -> None:
    """Free the garbage that was made just now. It takes a fraction of a millisecond, however large the heap is.

    Executing a module leaves some behind that would hold it, such as the class that `dataclass(slots=True)` replaces.
    """
    if gc.isenabled():
        gc.collect(1)

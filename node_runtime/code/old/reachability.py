"""Determines whether a version can still be reached from outside its own object graph.

The namespace, functions, classes, closures, descriptors and instances of a version refer to each other. So their
reference counts alone don't show whether the version is in use. But `gc.get_referents` shows the references between
these objects. If an object has more references than that, the rest come from outside. If the namespace can be reached
from such an object, the version is held. The cycle collector of CPython decides in the same way. This walk is limited
to the objects of one version, so its duration doesn't depend on the size of the heap. It also works for objects that
`gc.freeze` has hidden from the collector.

The result is conservative. Where the walk stops (at other modules, or at the limit of references), references count as
coming from outside. So a version may be reported as held although it isn't, but never as free although it is held.

The event loop and other threads run while the walk finds the objects, so references may move. For example, a task that
sleeps in a loop is held by another timer each time. If a reference were counted in one place before such a move, and in
another place after it, its holder would be missed. So all references and reference counts are read in one statement of
built-in functions, during which no other Python code runs. An object that the walk has not found counts as outside.
"""

from __future__ import annotations

import gc
import sys
import typing
from asyncio import AbstractEventLoop
from collections import Counter, deque
from itertools import chain, repeat
from logging import Logger
from types import CellType, FunctionType, GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import TYPE_CHECKING, Any, Final
from weakref import getweakrefs

from node_runtime.code.batch import Batch
from node_runtime.code.garbage import collect_young
from node_runtime.code.module import HotModule
from node_runtime.code.module_table import ModuleTable
from node_runtime.code.registrations import Registry
from node_runtime.code.version import ManagedModule, Version
from node_runtime.processes.process import Process

from .weak_entries import WeakEntries

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from node_runtime.code.module import Namespace

MAX_INDIRECT_REFERENCES: Final = 10_000
"""For each version, at most this many references are followed through objects that may belong to something else."""

_CONTAINERS: Final = (dict, list, tuple, set, frozenset, deque)
_NOT_FOLLOWED: Final = (
    *(ModuleType, HotModule, ModuleTable, ManagedModule, Version, Batch, Registry),
    *(Logger, AbstractEventLoop, Process),
)
"""Other modules, registries, the code server's own records of all modules, and objects that refer to everything in a
node: through the handlers of a module's logger, a walk would reach idle processes of that module.
"""
_PARTS: Final = (tuple, CellType, property, staticmethod, classmethod, GetSetDescriptorType, MemberDescriptorType)
"""Parts of functions and classes, besides their dicts."""


class ReferenceGraph:
    """The objects of some versions, and the references between them at one moment.

    `others` are namespaces of dropped versions; they may be garbage that has not been collected yet. The argument
    `ignored` of the methods maps the `id` of an object to the number of its references that don't count. An example is
    a reference from the code server's own records.
    """

    def __init__(self, versions: Collection[Version], others: Collection[Namespace] = ()) -> None:
        self._namespaces = {id(version.namespace) for version in versions} | {id(namespace) for namespace in others}
        self._names = {version.unit.source.module for version in versions} | {other["__name__"] for other in others}
        self._records = {id(version) for version in versions}
        self._weak_entries = WeakEntries()
        self._objects: list[Any] = []
        self._inside: set[int] = set()
        self._own_ids: set[int] = set()
        self._own: deque[Any] = deque()
        self._indirect: deque[Any] = deque()
        self._explore(versions, others)  # a separate call, whose variables are gone when references are counted
        self._counts, referents = _counts_and_referents(self._objects, self._weak_entries)
        self._references = Counter(chain.from_iterable(referents))
        by_id = {id(thing): thing for thing in self._objects}
        self._inner = {
            key: [by_id[other] for other in others if other in by_id]
            for key, others in zip(by_id, referents, strict=True)
        }

    def held(self, ignored: Counter[int]) -> set[int]:
        """Return the `id`s of the namespaces that can be reached from outside of the graph."""
        return self.reached(self.roots(ignored))

    def reached(self, things: Iterable[Any]) -> set[int]:
        """Return the `id`s of the namespaces that can be reached from `things`. `things` are objects of the graph."""
        waiting = list(things)
        reached: set[int] = set()
        while waiting:
            thing = waiting.pop()
            if id(thing) not in reached:
                reached.add(id(thing))
                waiting += self._inner[id(thing)]
        return reached & self._namespaces

    def roots(self, ignored: Counter[int]) -> list[Any]:
        """Return the objects of the graph that are referred to from outside of the graph."""
        known = self._references
        return [
            thing
            for thing, count in zip(self._objects, self._counts, strict=True)
            if count > known[id(thing)] + ignored[id(thing)] and id(thing) not in self._records
        ]

    def is_own(self, thing: object) -> bool:
        """Return whether `thing` certainly belongs to one of the versions."""
        return id(thing) in self._own_ids

    def own_held(self, ignored: Counter[int]) -> list[Any]:
        """Return the versions' own objects through which the versions can be reached from outside.

        The path from outside to such an object may lead through other objects of the graph, such as an imported
        registry.
        """
        waiting, seen = self.roots(ignored), set()
        found = {}
        while waiting:
            thing = waiting.pop()
            if id(thing) in seen:
                continue
            seen.add(id(thing))
            if id(thing) in self._own_ids:
                found[id(thing)] = thing
            else:
                waiting += self._inner[id(thing)]
        return list(found.values())

    def referrers_inside(self, ignored: Counter[int]) -> dict[int, list[Any]]:
        """Return the referrers of each object that has only referrers in the graph, by the `id` of the object."""
        outer = set(map(id, self.roots(ignored))) | self._records
        found: dict[int, list[Any]] = {key: [] for key in self._inner if key not in outer}
        for thing in self._objects:
            for other in self._inner[id(thing)]:
                if id(other) in found:
                    found[id(other)].append(thing)
        return found

    # ------------------------------------------------------------ finding the objects

    def _explore(self, versions: Collection[Version], others: Collection[Namespace]) -> None:
        """Visit all objects that belong to the versions, then other objects up to the limit, the nearest first."""
        limit = MAX_INDIRECT_REFERENCES * len(versions)
        for version in versions:
            self._add(version, self._own)
        for namespace in others:
            if id(namespace) not in self._inside:
                self._add(namespace, self._own)
        while self._own or self._indirect:
            while self._own:
                self._visit(self._own.popleft(), own=True)
            if self._indirect:
                thing = self._indirect.popleft()
                if type(thing) not in _CONTAINERS or len(thing) < limit:
                    limit -= self._visit(thing, own=False)
            if limit <= 0:
                self._indirect.clear()

    def _add(self, thing: Any, queue: deque[Any]) -> None:
        self._inside.add(id(thing))
        if queue is self._own:
            self._own_ids.add(id(thing))
        self._objects.append(thing)
        queue.append(thing)

    def _visit(self, thing: Any, *, own: bool) -> int:
        inside, referents = self._inside, gc.get_referents(thing)
        referents += self._weak_entries.kept_with(getweakrefs(thing))
        has_dict = own and (type(thing) is FunctionType or issubclass(type(thing), type))
        for other in referents:
            key = id(other)
            if key not in inside:
                queue = self._queue_for(other, own, has_dict) if gc.is_tracked(other) else None
                if queue is None:
                    continue
                self._add(other, queue)
        return len(referents)

    def _queue_for(self, thing: Any, of_own: bool, has_dict: bool) -> deque[Any] | None:
        """Return the queue in which a newly found object waits for its visit; None if it is not to be visited."""
        kind = type(thing)
        if kind is dict:
            if id(thing) in self._namespaces:
                return self._own
            if "__spec__" in thing and not self._is_copy(thing):
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
        return self._own if own else self._indirect

    def _is_copy(self, namespace: Namespace) -> bool:
        """Return whether `namespace` is a copy of a version's namespace, as attrs makes it for generated methods."""
        name = namespace.get("__name__")
        return name in self._names and namespace is not getattr(sys.modules.get(name), "__dict__", None)


def _is_known(cls: type) -> bool:
    """Return whether the class is bound to its name in its module, so that it belongs to that module."""
    module = sys.modules.get(cls.__module__)
    return module is not None and cls.__qualname__.partition(".")[0] in module.__dict__


def _counts_and_referents(things: list[Any], weak_entries: WeakEntries) -> tuple[list[int], list[list[int]]]:
    """Return, for each of `things`, the number of references (without that of the list) and the `id`s of its referents.

    One statement reads everything and calls only built-in functions. So no other thread runs meanwhile, and no garbage
    collection runs finalizers. The keys and values of weak dictionaries that live as long as a thing count among its
    referents.
    """
    referents_of = map(map, repeat(id), map(gc.get_referents, things))
    reads: list[Iterable[Any]] = [
        map(sys.getrefcount, things), map(list, referents_of), map(getweakrefs, things)
    ]  # fmt: skip
    (spare,) = map(sys.getrefcount, [object()])
    enabled = gc.isenabled()
    gc.disable()
    try:
        counts, referents, weak = map(list, reads)
    finally:
        if enabled:
            gc.enable()
    also = ([id(one) for one in weak_entries.kept_with(references)] for references in weak)
    return [count - spare for count in counts], [[*ids, *more] for ids, more in zip(referents, also, strict=True)]


def held_namespaces(
    versions: Collection[Version], ignored: Callable[[], Counter[int]], others: Collection[Namespace] = ()
) -> set[int]:
    """Return the `id`s of the namespaces of `versions` that can be reached from outside of the versions.

    `ignored()` counts the references that don't hold a version; these may end at any time. Two other kinds of
    references are cleared before a version is reported as held. The caches of `typing` keep every class that was used
    as a type argument, as in `GenServer[State]`. Young garbage has references too, such as the cycles of a dropped
    class or exception. Clearing the caches and the garbage takes a fraction of a millisecond.
    """
    held = _held(versions, ignored, others)
    if held:
        for clear in getattr(typing, "_cleanups", ()):
            clear()
        collect_young()
        held = _held(versions, ignored, others)
    return held


def _held(
    versions: Collection[Version], ignored: Callable[[], Counter[int]], others: Collection[Namespace]
) -> set[int]:
    before = ignored()
    graph = ReferenceGraph(versions, others)
    held = graph.held(before)
    if len(held) < len(versions) + len(others):  # an ignored reference that has already ended would conceal a holder
        held = graph.held(before & ignored())
    return held

"""Finds the objects that a state shares with tasks, threads, timers or modules, and that a code_change replaces.

The other holder keeps the old object. What it adds to it later never reaches the new state, and what the new code adds
never reaches the other holder. Runs in the copy of the node.
"""

from __future__ import annotations

import asyncio
import enum
import sys
import threading
from collections import deque
from collections.abc import Container, Iterable, Iterator, Sequence
from inspect import CO_OPTIMIZED
from time import thread_time
from types import FrameType, FunctionType
from typing import Any, Final

import msgspec

from node_runtime.behaviours.show.raw_reads import namespace_of, type_name
from node_runtime.behaviours.show.time_budget import TimeBudget
from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess
from node_runtime.code.old.holder_names import task_name
from node_runtime.processes.process import Process
from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.processes.runtime import Runtime
from node_runtime.releases.migration.hidden_parts import reader_for
from node_runtime.releases.migration.holders import is_holder
from node_runtime.releases.planning.staying import ending

from .value_path import path_to
from .value_search import Trail

HOLDERS_SECONDS: Final = 1.0
"""Processor time for the search through what tasks, threads, timers and modules hold."""
NEAR_SECONDS: Final = 0.2
"""Processor time for the search through the variables of tasks, threads, timers and modules alone."""
SEARCH_SECONDS: Final = 3.0
"""Processor time for the whole search, through the old and the new states and what others hold."""
MAX_SENTENCES: Final = 20
INCOMPLETE: Final = (
    "The search for objects that states share with tasks, threads and modules took too long, so the plan may not name "
    "all of them."
)
_CONTAINERS: Final = (list, dict, set, deque)
_UNCHANGEABLE: Final = (tuple, frozenset, str, bytes, int, float, complex, enum.Enum, BaseException, type, FunctionType)
_OWN_REFERENCES: Final = 3
"""The references of this module to an object whose references it counts: a list, a variable and an argument."""
_HEAP_TYPE: Final = 1 << 9
"""Py_TPFLAGS_HEAPTYPE: the flag of the classes that a `class` statement made."""


class OtherHolder(msgspec.Struct, frozen=True):
    """What shares an object with a state, as a plan names it, and how to end it; "" if it has no end."""

    title: str
    ending: str


ThreadValues = Sequence[tuple[str, Sequence[Any]]]
"""The name of each other thread, and the objects to which its frames refer."""


def thread_values() -> ThreadValues:
    """Return what the other threads hold. Called in the node: the copy has no other threads."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames: dict[int, Any] = sys._current_frames()
    frames.pop(threading.get_ident(), None)
    found = []
    while frames:  # no variable may refer to a frame for longer than this takes
        ident, frame = frames.popitem()
        values: list[Any] = []
        while frame is not None:
            values += _variables(frame)
            frame = frame.f_back
        found.append((names.get(ident, str(ident)), values))
    return found


def _variables(frame: FrameType) -> list[Any]:
    """Return the values of a running function's variables, and leave no references to them in the frame."""
    if not frame.f_code.co_flags & CO_OPTIMIZED:
        return []  # the body of a module or a class
    variables = frame.f_locals
    values = list(variables.values())
    if type(variables) is dict:  # before Python 3.13, the frame keeps this dict until it ends
        variables.clear()
    return values


class SharedObjects:
    """The changeable objects that tasks, threads, timers and modules hold. Created before the switch.

    `threads` is what `thread_values` has returned in the node, and `kept_modules` are the modules of the release that
    the script does not replace. What they hold is searched only if the reference count of an object in an old state
    shows that something outside of the state refers to it, for example the process's start arguments: a node may hold
    many more objects than its states have.
    """

    def __init__(self, runtime: Runtime, threads: ThreadValues, kept_modules: Iterable[str]) -> None:
        self._holders = [*_running(runtime), *_threads(threads), *_modules(kept_modules)]
        self._held: dict[int, tuple[Any, OtherHolder]] | None = None
        self._told: set[tuple[str, str, str]] = set()
        self._kinds: dict[int, tuple[bool, bool]] = {}
        self._seconds_left = SEARCH_SECONDS
        self._budget = TimeBudget(SEARCH_SECONDS)
        self._near = self._held_nearby()
        self.is_complete = True
        """Whether all objects were looked at in the given time."""

    def warnings(self, process: Process, old: Any, new: Any) -> Iterator[str]:
        """Yield a sentence for each object of a process's old state that the new state replaces and others hold."""
        if new is old:
            return
        began, self._budget = thread_time(), TimeBudget(self._seconds_left)
        try:
            suspects = self._referred_to_from_outside(old)
            if suspects:
                suspects -= {id(one) for one, _ in self._walk([new])}
            if suspects:
                yield from self._sentences(process, old, suspects)
        finally:
            self._seconds_left -= thread_time() - began

    def _sentences(self, process: Process, old: Any, suspects: set[int]) -> Iterator[str]:
        held = self._all_held()
        shared = suspects & held.keys()
        for one, trail in self._walk([old], ends=shared):
            if id(one) not in shared:
                continue
            holder = held[id(one)][1]
            key = holder.title, process.qualname, type_name(type(one))
            if key not in self._told and len(self._told) < MAX_SENTENCES:
                self._told.add(key)
                yield _sentence(process, one, path_to(one, trail), holder)

    def _held_nearby(self) -> set[int]:
        """Return the ids of what the holders refer to by their variables, or by an object in a variable."""
        budget, near = TimeBudget(NEAR_SECONDS), set[int]()
        for _, roots in self._holders:
            for value in (part for root in roots for part in (root, *self._parts(root))):
                near.add(id(value))
                near.update(map(id, self._parts(value)))
                if budget.is_spent():
                    return near
        return near

    def _referred_to_from_outside(self, old: Any) -> set[int]:
        """Return the ids of the changeable objects of an old state to which something outside of the state refers.

        The process and the callers refer to the state itself, so its reference count doesn't show whether others do.
        """
        counts: dict[int, int] = {}
        inside = [one for one, _ in self._walk([old], counts) if one is not old and self._is_changeable(type(one))]
        found = {id(one) for one in inside if sys.getrefcount(one) > counts[id(one)] + _OWN_REFERENCES}
        return found | ({id(old)} & self._near)

    def _all_held(self) -> dict[int, tuple[Any, OtherHolder]]:
        """Return the changeable objects that the holders refer to, by their ids, each with its first holder."""
        if self._held is None:
            states, self._budget, self._held = self._budget, TimeBudget(HOLDERS_SECONDS), {}
            for holder, roots in self._holders:
                for found, _ in self._walk(roots):
                    if self._is_changeable(type(found)):
                        self._held.setdefault(id(found), (found, holder))
            self._budget = states
        return self._held

    def _parts(self, value: Any) -> Iterable[Any]:
        return reader_for(type(value))(value) if self._is_followed(type(value)) else ()

    def _walk(
        self, roots: Sequence[Any], counts: dict[int, int] | None = None, ends: Container[int] = ()
    ) -> Iterator[tuple[Any, Trail]]:
        """Yield the objects below the roots, with their trails; go no further below those in `ends`.

        `counts` counts the references to each object.
        """
        seen: set[int] = set()
        stack: list[tuple[Any, Trail]] = [(root, (roots, None)) for root in roots]
        while stack:
            if self._budget.is_spent():
                self.is_complete = False
                return
            value, trail = stack.pop()
            if counts is not None:
                counts[id(value)] = counts.get(id(value), 0) + 1
            if id(value) in seen or not self._is_followed(type(value)):
                continue
            seen.add(id(value))
            yield value, trail
            if id(value) not in ends:
                stack += [(part, (value, trail)) for part in reader_for(type(value))(value)]

    def _is_followed(self, cls: type[Any]) -> bool:
        return self._kind(cls)[0]

    def _is_changeable(self, cls: type[Any]) -> bool:
        return self._kind(cls)[1]

    def _kind(self, cls: type[Any]) -> tuple[bool, bool]:
        known = self._kinds.get(id(cls))
        if known is None:
            followed = is_holder(cls) and not issubclass(cls, type)
            known = self._kinds[id(cls)] = followed, followed and _is_changeable(cls)
        return known


def _is_changeable(cls: type[Any]) -> bool:
    if issubclass(cls, _CONTAINERS):
        return True
    frozen = getattr(namespace_of(cls).get("__dataclass_params__"), "frozen", False)
    return bool(cls.__flags__ & _HEAP_TYPE) and not issubclass(cls, _UNCHANGEABLE) and not frozen


def _running(runtime: Runtime) -> Iterator[tuple[OtherHolder, Sequence[Any]]]:
    """Yield the tasks and timers, each with the objects that it refers to first."""
    owners = {id(process.task): process for process in runtime.processes.values() if process.task is not None}
    for task in asyncio.all_tasks(runtime.loop):
        process = owners.get(id(task))
        if process is None:
            name = f"`hotdash kill NODE {task.get_name()}` cancels it"
            yield OtherHolder(f"the {task_name(task)}", name), [task.get_coro()]
        elif not isinstance(process, BehaviourProcess):
            yield OtherHolder(process.title(), ending(int(process.pid))), [task.get_coro()]
    for handle in getattr(runtime.loop, "_scheduled", ()):
        if not handle.cancelled():
            yield OtherHolder("a timer of the event loop", ""), [handle._callback, handle._args]


def _threads(threads: ThreadValues) -> Iterator[tuple[OtherHolder, Sequence[Any]]]:
    remedy = "a thread can't be ended from outside, so let its function return"
    for name, values in threads:
        yield OtherHolder(f"the thread {name}", remedy), values


def _modules(names: Iterable[str]) -> Iterator[tuple[OtherHolder, Sequence[Any]]]:
    for name in names:
        module = sys.modules.get(name)
        if module is not None:
            values = [value for key, value in vars(module).items() if not key.startswith("__")]
            yield OtherHolder(f"the module {name}", ""), values


def _sentence(process: Process, value: Any, path: str, holder: OtherHolder) -> str:
    kind = type_name(type(value))
    place = f" at {shown(path)}" if path else ""
    rest = f", or end the other holder: {holder.ending}" if holder.ending else ""
    return (
        f"{process.title()} and {holder.title} hold the same {kind}{place} of the state. The new state lacks this "
        f"{kind}, so what one of them adds to it later is lost to the other. Let the code_change of {process.module} "
        f"return this very object{rest}."
    )

"""A search of the whole heap for the holders of old versions.

The search goes from the objects of an old version to their referrers, until it reaches a referrer that people know by a
name, such as a process or a task. Finding the referrers of an object usually takes a pass over the heap. If only
objects of the versions' own graph refer to an object, its referrers are known without a pass. So such objects are
followed first, and all other objects in one pass.
"""

from __future__ import annotations

import gc
import time
import typing
from asyncio import Task
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from node_runtime.behaviours.upgrade.live_processes import CallbackVersion
from node_runtime.code.batch import Batch
from node_runtime.code.module import HotModule
from node_runtime.code.version import ManagedModule, Version
from node_runtime.protocol.messages import OldCodeHolder

from .found_holder import FoundHolder, found_holder
from .hidden_references import HiddenHolders, HiddenReferences
from .holder_names import WITH_FRAME, code_name, described, ended_owner, is_current_namespace, is_of_runtime, owner
from .reachability import ReferenceGraph

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from node_runtime.code.module import Namespace

MAX_PASSES: Final = 32
"""At most this many passes over the heap look for referrers."""
MAX_SOUGHT_AT_ONCE: Final = 128
"""One pass looks for the referrers of at most this many objects."""

UNNAMED_HOLDER: Final = OldCodeHolder(kind="object", name="something without a name", does="holds it")
UNFOUND_HOLDER: Final = OldCodeHolder(kind="object", name="something not found in time", does="holds it")

_RECORDS: Final = (Batch, Version, ManagedModule, ReferenceGraph, CallbackVersion)

_RECORD_PACKAGES: Final = "node_runtime.code.", "node_runtime.releases."


class HeldPart(NamedTuple):
    """A held part of a version: its text, and the `id`s of the objects between the referrer and the version."""

    text: str
    through: frozenset[int] = frozenset()


HeldParts = dict[str, HeldPart]
"""The parts that a referrer holds, by module."""
Level = dict[int, tuple[Any, HeldParts]]
"""The objects whose referrers are searched for next, by `id`; each object has the parts of versions that it holds."""


class Suspects(msgspec.Struct, frozen=True):
    """The versions that seem to be held, and what the code server and the runtime know about references to them.

    `modules` are the modules whose old version seems to be held; `still_held()` checks again and returns the modules
    whose old version is held. `running` are the `id`s of the code objects that run at the fork. `versions` are all
    versions that aren't current. `others` are the namespaces of dropped versions. `ignored` counts the references that
    hold no version, by the `id` of the object. `owners` are the processes, by the `id` of the process object and by the
    `id` of its task. `idle` are the `id`s of the instances of idle processes; the classes of these instances hold no
    version. `starter` returns the pid of the process that has started a task, or None if that process has ended.
    """

    modules: Collection[str]
    versions: Collection[Version]
    others: Collection[Namespace]
    ignored: Counter[int]
    owners: Mapping[int, tuple[str, int]]
    idle: Collection[int]
    starter: Callable[[Task[Any]], int | None]
    still_held: Callable[[], Collection[str]]
    running: frozenset[int]


class HolderSearch:
    """A search for the holders of the old versions of `modules`.

    The search runs in a copy of the node, because no object must change meanwhile.
    """

    def __init__(self, modules: Collection[str], suspects: Suspects) -> None:
        self._modules = modules
        self._owners, self._idle, self._starter = suspects.owners, suspects.idle, suspects.starter
        gc.disable()
        gc.unfreeze()  # the collector finds no referrers among frozen objects
        gc.collect(0)  # from now on, the youngest generation has only the objects that the search itself makes
        for clear in getattr(typing, "_cleanups", ()):
            clear()
        self._graph = ReferenceGraph(suspects.versions, suspects.others)
        self._ignored = suspects.ignored
        self._hidden, self._hidden_holders = HiddenReferences(suspects.running), HiddenHolders()
        self._inside = self._graph.referrers_inside(suspects.ignored)
        self._visited: dict[int, set[str]] = {}
        """For each object, by its `id`: the modules for whose old version the search has visited the object."""
        self._ended: dict[str, OldCodeHolder] = {}
        """For each module, the ended task or the exception that is the farthest from the module's old version."""
        self.tasks: dict[str, set[int]] = {module: set() for module in modules}
        """The `id`s of the tasks among the holders that have been found, by module."""
        namespaces = {id(one.namespace): one.unit.source.module for one in suspects.versions}
        wanted = {key: module for key, module in namespaces.items() if module in modules}
        self._level = {id(thing): (thing, held) for thing, held in self._held_objects(wanted)}

    def holders(self, seconds: float, *, ended: bool = True) -> dict[str, list[FoundHolder]]:
        """Search for about `seconds` of processor time, and return the holders by module.

        Holders without a name are reported only if no other holder is found. Ended tasks and exceptions are reported
        only in this case, and only if `ended` is set.
        """
        deadline = time.process_time() + seconds
        found: dict[str, dict[tuple[int, str], FoundHolder]] = {module: {} for module in self._modules}
        unnamed = {module for _, held in self._level.values() for module in held}
        passes = 0
        while self._level and passes < MAX_PASSES and time.process_time() < deadline:
            inside = {key: value for key, value in self._level.items() if key in self._inside}
            passes += not inside
            for module, holder in self._step_inside(inside) if inside else self._step_by_pass():
                known = found[module].get(holder.key)
                found[module][holder.key] = holder if known is None else known.joined(holder)
        for module in unnamed:
            last = self._ended.get(module) if ended else None
            is_only = not found[module]
            hidden = self._hidden_holders.holder(module, is_only=is_only, surely=ended and last is None)
            if hidden is not None:
                found[module][0, hidden.name] = FoundHolder(hidden)
            elif is_only:
                found[module][0, ""] = FoundHolder(last or UNNAMED_HOLDER)
        return {module: list(holders.values()) for module, holders in found.items()}

    def _held_objects(self, wanted: Mapping[int, str]) -> Iterator[tuple[Any, HeldParts]]:
        """Yield the versions' objects to which other objects refer. The search begins at these objects.

        Each object comes with the parts of versions that can be reached from it, by module.
        """
        for thing in self._graph.own_held(self._ignored):
            reached = [wanted[key] for key in self._graph.reached([thing]) if key in wanted]
            if reached:
                yield thing, dict.fromkeys(reached, HeldPart(described(thing)))

    # ------------------------------------------------------------ one step away from the versions

    def _step_inside(self, level: Level) -> Iterator[tuple[str, FoundHolder]]:
        self._level = {key: value for key, value in self._level.items() if key not in level}
        found = {id(one): one for key in level for one in self._inside[key]}
        return self._step(level, list(found.values()))

    def _step_by_pass(self) -> Iterator[tuple[str, FoundHolder]]:
        level, self._level = _narrowed(self._level), {}
        found, hidden = self._hidden.referrers([thing for thing, _ in level.values()])
        for thing in hidden:
            self._hidden_holders.add(thing, ((module, part.text) for module, part in level[id(thing)][1].items()))
        return self._step(level, [*_of_node(found), *self._ended_tasks(level)])

    def _step(self, level: Level, referrers: list[Any]) -> Iterator[tuple[str, FoundHolder]]:
        named_ids = self._values_of_variables(referrers, level)
        beyond = {key: value for key, value in level.items() if key not in named_ids}
        for referrer in referrers:
            if isinstance(referrer, _RECORDS) or self._graph.is_own(referrer):
                continue
            visited = self._visited.setdefault(id(referrer), set())
            held = self._held_by(referrer, level if _is_namespace(referrer) else beyond)
            named = self._named(referrer, held, level)
            self._note_ended(referrer, held, level)
            for module, (what, through) in held.items():
                if named is not None:
                    # A task of the runtime that only refers to the version is not cancelled, such as a lifespan's task.
                    keeps = named.kind == "task" and is_of_runtime(referrer) and not what.startswith("runs ")
                    if named.kind == "task" and not keeps:
                        self.tasks[module].add(id(referrer))
                    holder = replace(named, kind="object" if keeps else named.kind, does=_does(what))
                    yield module, found_holder(holder, referrer, through)
            if named is None and not _is_namespace(referrer) and not _is_record_of_node(referrer):
                self._follow(referrer, {module: part for module, part in held.items() if module not in visited})
                visited.update(held)

    def _values_of_variables(self, referrers: Iterable[Any], level: Level) -> set[int]:
        """Return the `id`s of the objects in `level` that are values of globals of current modules.

        Only the global variable is reported as the holder of such an object: ending another holder would not free the
        version. The version's own functions and classes are left out.
        """
        found: set[int] = set()
        for referrer in referrers:
            if _is_namespace(referrer) and is_current_namespace(referrer) and not self._graph.is_own(referrer):
                found.update(id(value) for value in referrer.values() if id(value) in level)
        return {key for key in found if not self._graph.is_own(level[key][0])}

    def _held_by(self, referrer: Any, level: Level) -> HeldParts:
        held: HeldParts = {}
        idle = id(referrer) in self._idle
        for thing in gc.get_referents(referrer):
            if id(thing) in level and not (idle and thing is type(referrer)):
                for module, (what, through) in level[id(thing)][1].items():
                    known = held.get(module) or HeldPart(self._specific(referrer, thing, what))
                    held[module] = HeldPart(known.text, known.through | through)
        return held

    def _specific(self, referrer: Any, thing: Any, what: str) -> str:
        """Return the text that says what `referrer` runs or holds, such as "runs shop.box.poll".

        If there is no more exact text, return `what`, the text of `thing`.
        """
        if not self._graph.is_own(thing):
            return what
        if isinstance(referrer, WITH_FRAME):
            frame = getattr(referrer, "cr_frame", None) or getattr(referrer, "gi_frame", None)
            frame = frame or getattr(referrer, "ag_frame", None)
            own = frame is not None and self._graph.is_own(frame.f_globals)
            return f"runs {code_name(referrer)}" if own else what
        return described(referrer) if type(referrer).__name__ == "method" or thing is type(referrer) else what

    def _named(self, referrer: Any, held: HeldParts, level: Level) -> OldCodeHolder | None:
        if not held:
            return None
        process = self._owners.get(id(referrer))
        if process is not None:
            return OldCodeHolder(kind="process", name=process[0], does="", pid=process[1])
        if isinstance(referrer, dict) and "__spec__" in referrer and not is_current_namespace(referrer):
            return None
        known = owner(referrer, _first_referent(referrer, level))
        if known is not None and isinstance(referrer, Task):
            return replace(known, pid=self._starter(referrer))
        return known

    def _ended_tasks(self, level: Level) -> Iterator[Task[Any]]:
        """Yield the tasks that have ended with one of the exceptions in `level`.

        `gc.get_referrers` does not find them.
        """
        if any(isinstance(thing, BaseException) for thing, _ in level.values()):
            for task in (one for one in gc.get_objects() if issubclass(type(one), Task) and one.done()):
                if any(id(thing) in level for thing in gc.get_referents(task)):
                    yield task

    def _note_ended(self, referrer: Any, held: HeldParts, level: Level) -> None:
        ended = ended_owner(referrer, _first_referent(referrer, level))
        if ended is not None:
            self._ended.update((module, replace(ended, does=_does(part.text))) for module, part in held.items())

    def _follow(self, referrer: Any, held: HeldParts) -> None:
        if held:
            parts = {module: HeldPart(what, through | {id(referrer)}) for module, (what, through) in held.items()}
            waiting = self._level.get(id(referrer))
            self._level[id(referrer)] = referrer, parts if waiting is None else waiting[1] | parts


def _first_referent(referrer: Any, level: Level) -> Any:
    return next((one for one in gc.get_referents(referrer) if id(one) in level), None)


def _narrowed(level: Level) -> Level:
    """Return at most MAX_SOUGHT_AT_ONCE of the objects, suspended calls first."""
    if len(level) <= MAX_SOUGHT_AT_ONCE:
        return level
    first = sorted(level.items(), key=lambda item: not isinstance(item[1][0], WITH_FRAME))
    return dict(first[:MAX_SOUGHT_AT_ONCE])


def _of_node(found: list[Any]) -> Iterable[Any]:
    """Yield the objects in `found`, except the objects that the search has made itself."""
    own = {id(thing) for thing in gc.get_objects(generation=0)}
    return (referrer for referrer in found if id(referrer) not in own)


def _does(what: str) -> str:
    return what if what.startswith("runs ") else f"holds {what}"


def _is_record_of_node(thing: Any) -> bool:
    """Return whether `thing` is the node's own record of an upgrade, such as a finding of the rehearsal.

    The referrers of such a record hold no version, and each of them would take a pass over the heap.
    """
    kind = type(thing)
    return kind is not HotModule and str(kind.__module__).startswith(_RECORD_PACKAGES)


def _is_namespace(thing: Any) -> bool:
    return isinstance(thing, dict) and "__spec__" in thing

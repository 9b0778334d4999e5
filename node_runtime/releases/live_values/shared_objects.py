"""Finds the objects that a state shares with tasks, threads, timers or modules, and that a code_change replaces.

After the upgrade, the other holder, such as a task, has the old object, and the state has the new object. What the task
adds to the old object never reaches the new state, and what the new code adds to the new object never reaches the task.
Runs in the copy of the node.
"""

from __future__ import annotations

import enum
import sys
from collections import Counter, deque
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from time import thread_time
from types import FunctionType
from typing import Any, Final

from node_runtime.behaviours.show.raw_reads import namespace_of, type_name
from node_runtime.behaviours.show.time_budget import TimeBudget
from node_runtime.processes.process import Process
from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.releases.migration.hidden_parts import reader_for
from node_runtime.releases.migration.holders import is_holder

from .held_values import HeldValue
from .other_holders import OtherHolder
from .value_path import path_to
from .value_search import Trail

HOLDERS_SECONDS: Final = 1.0
"""Processor time for the search through the objects that the other holders reach."""
NEAR_SECONDS: Final = 0.2
"""Processor time for the search through the variables of the other holders alone."""
STATES_SECONDS: Final = 3.0
"""Processor time for each of the two searches: through the old states, and through the new states."""
INCOMPLETE: Final = (
    "The search for objects that states share with tasks, threads and modules took too long, so the plan may miss "
    "some of these objects."
)
_CONTAINERS: Final = (list, dict, set, deque)
_UNCHANGEABLE: Final = (tuple, frozenset, str, bytes, int, float, complex, enum.Enum, BaseException, type, FunctionType)
_OWN_REFERENCES: Final = 3
"""When this module counts the references to an object, so many are its own: a list, a variable and an argument."""
_HEAP_TYPE: Final = 1 << 9
"""Py_TPFLAGS_HEAPTYPE: the flag of the classes that a `class` statement made."""


class SharedObjects:
    """The changeable objects that states share with other holders.

    `places` are the values that processes hold. `migrated` has the pids of the processes whose states will be replaced.
    `holders` are tasks, threads, timers and modules. `ids` are the numbers in global variables that may be the `id` of
    an object, each with the name of the variable. The search looks only for *suspects*. A suspect is an object of a
    migrated state to which something outside of the states refers, or whose `id` is in `ids`. To find suspects,
    references are counted. Make an instance before the switch: during a migration, the converter refers to the old
    objects, too.
    """

    def __init__(
        self,
        places: Iterable[HeldValue],
        migrated: Container[int],
        holders: Iterable[tuple[OtherHolder, Sequence[Any]]],
        ids: Mapping[int, str],
    ) -> None:
        self.is_complete = True
        """Whether all objects were looked at in the given time."""
        self._kinds: dict[int, tuple[bool, bool]] = {}
        self._holders = list(holders)
        self._holder_of: dict[int, OtherHolder] | None = None
        self._told: set[tuple[str, str, str]] = set()
        self._kept: list[HeldValue] = []
        self._ids = ids
        self._suspects = self._referred_to_from_outside(places, migrated) | ids.keys()
        self._seconds_left = STATES_SECONDS

    def warnings(self, process: Process, old: Any, new: Any, kept: frozenset[int]) -> Iterator[str]:
        """Yield a sentence for each object of the old state that the new state replaces and another holder keeps.

        `kept` has the `id`s of objects that the new state will not replace in an install.
        """
        if new is old or not self._suspects:
            return
        began, budget = thread_time(), TimeBudget(self._seconds_left)
        try:
            replaced = self._suspects.intersection(id(one) for one, _ in self._walk([old], budget)) - kept
            if replaced:
                replaced -= {id(one) for one, _ in self._walk([new], budget)}
            if replaced:
                yield from self._sentences(process, old, replaced & (self._held().keys() | self._ids.keys()), budget)
        finally:
            self._seconds_left -= thread_time() - began

    def _sentences(self, process: Process, old: Any, shared: set[int], budget: TimeBudget) -> Iterator[str]:
        for one, trail in self._walk([old], budget, ends=shared):
            if id(one) not in shared:
                continue
            path, kind = path_to(one, trail), type_name(type(one))
            variable, holder = self._ids.get(id(one)), self._held().get(id(one))
            if variable is not None and self._is_new(variable, process, kind):
                yield _id_sentence(process, one, path, variable)
            if holder is not None and self._is_new(holder.title, process, kind):
                yield _sentence(process, one, path, holder)

    def _is_new(self, holder: str, process: Process, kind: str) -> bool:
        """Return whether no sentence has told yet that a holder has such an object of such a process."""
        key = holder, process.qualname, kind
        is_new = key not in self._told
        self._told.add(key)
        return is_new

    def _referred_to_from_outside(self, places: Iterable[HeldValue], migrated: Container[int]) -> set[int]:
        """Return the ids of the suspects. An object is a suspect if it has more references than the states hold.

        The references to a state itself prove nothing, because its process and callers refer to it, too. So a state is
        a suspect only if another holder reaches it in a few steps.
        """
        arguments, states = list[Any](), list[Any]()
        for held in places:
            if held.place != "state":
                arguments.append(held.value)
            elif held.process.pid in migrated:
                states.append(held.value)
            else:
                self._kept.append(held)
        counts = Counter([*map(id, arguments)] * 2)  # the place and the list `arguments` refer to each of them
        budget, roots = TimeBudget(STATES_SECONDS), set(map(id, states))
        inside = [one for one, _ in self._walk([*states, *arguments], budget, counts) if self._is_changeable(type(one))]
        if not self.is_complete:
            return set()  # the counts are too low
        found = {id(one) for one in inside if sys.getrefcount(one) > counts[id(one)] + _OWN_REFERENCES}
        return (found - roots) | (roots and roots & self._held_nearby())

    def _held_nearby(self) -> set[int]:
        """Return the ids of the objects that the other holders reach in a few steps, from their variables."""
        budget, near = TimeBudget(NEAR_SECONDS), set[int]()
        for _, roots in self._holders:
            for value in (part for root in roots for part in (root, *self._parts(root))):
                near.add(id(value))
                near.update(map(id, self._parts(value)))
                if budget.is_spent():
                    return near
        return near

    def _held(self) -> dict[int, OtherHolder]:
        """Return the nearest other holder of each suspect, by the suspect's id."""
        if self._holder_of is None:
            self._holder_of = {}
            missing, budget = set(self._suspects), TimeBudget(HOLDERS_SECONDS)
            seen: set[int] = set()
            queue = deque((value, holder) for holder, roots in self._holders for value in roots)
            queue.extend((held.value, OtherHolder(held.process.title(), "")) for held in self._kept)
            while queue and missing:
                if budget.is_spent():
                    self.is_complete = False
                    break
                value, holder = queue.popleft()
                if id(value) in seen or not self._is_followed(type(value)):
                    continue
                seen.add(id(value))
                if id(value) in missing:
                    missing.remove(id(value))
                    self._holder_of[id(value)] = holder
                queue.extend((part, holder) for part in self._parts(value))
        return self._holder_of

    def _parts(self, value: Any) -> Iterable[Any]:
        return reader_for(type(value))(value) if self._is_followed(type(value)) else ()

    def _walk(
        self, roots: Sequence[Any], budget: TimeBudget, counts: dict[int, int] | None = None, ends: Container[int] = ()
    ) -> Iterator[tuple[Any, Trail]]:
        """Yield the roots and all objects below them, except below `ends`, each with its trail.

        `counts` receives the number of references to each object, by its id.
        """
        seen: set[int] = set()
        stack: list[tuple[Any, Trail]] = [(root, (roots, None)) for root in roots]
        while stack:
            if budget.is_spent():
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
                stack += [(part, (value, trail)) for part in self._parts(value)]

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


def _id_sentence(process: Process, value: Any, path: str, variable: str) -> str:
    place = f" at {shown(path)}" if path else ""
    return (
        f"{variable} has the id() of the {type_name(type(value))}{place} of the state of {process.title()} as a key. "
        f"The new state has another object, with another id(), so {variable} no longer finds it. Use the object "
        f"itself, or a number of your own, as the key, or let the code_change of {process.module} keep the same object."
    )


def _sentence(process: Process, value: Any, path: str, holder: OtherHolder) -> str:
    kind = type_name(type(value))
    place = f" at {shown(path)}" if path else ""
    rest = f", or end the other holder: {holder.ending}" if holder.ending else ""
    return (
        f"{process.title()} and {holder.title} hold the same {kind}{place} of the state. The new state has another "
        f"{kind}, so a change of one of the two objects no longer reaches both holders. Let the code_change of "
        f"{process.module} keep the same object{rest}."
    )

"""Tracks the values of replaced or deleted code, from the first search to the states that code_change returns."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess
from node_runtime.code import Batch, ThreadVariables, Version
from node_runtime.processes.process import Process
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol.messages import ValueOutcome
from node_runtime.releases.migration import (
    LostField,
    Obstacle,
    inherits_code_change,
    migration_obstacles,
    namespaces_of,
)
from node_runtime.releases.planning import affected, conditions
from node_runtime.releases.planning.transition import Transition

from .findings import Finding, MigratedBy
from .held_values import HeldValue, held_values
from .ids_in_modules import ids_in_modules
from .other_holders import other_holders
from .pending_trials import ARGUMENT_PLACES, PENDING_PLACES, Guard, PendingTrials
from .replaced_code import ReplacedCode
from .report import LiveValuesFound, limited
from .sentences import describe
from .shared_objects import INCOMPLETE, SharedObjects
from .switched_names import SwitchedNames
from .value_search import SUSPENDED_SORTS, FoundValue, ValueSearch

SEARCH_SECONDS: Final = 10.0
"""Processor time for the search through all processes."""
STATE_SECONDS: Final = 0.5
"""Processor time for the search through a state that a code_change has returned."""
STATES_SECONDS: Final = 10.0
"""Processor time for the search through all states that the code_changes have returned."""
_CONVERTED: Final = (*PENDING_PLACES, *ARGUMENT_PLACES)
_OF_STATE: Final = ("state", "state name", "child arguments", "start arguments")
"""The places whose values are replaced: by a code_change, or when a supervisor reads its `children()` again."""


class LiveValues:
    """The values of replaced or deleted code, in one rehearsal. Created in the copy of the node, before the switch."""

    def __init__(
        self,
        transition: Transition,
        running: Mapping[str, Version],
        batch: Batch,
        guard: Guard,
        threads: Sequence[ThreadVariables],
    ) -> None:
        changed = {*transition.loaded, *transition.removed}
        old = {module: version.namespace for module, version in running.items() if module in changed}
        new = {module: batch.namespace(module) for module in batch.modules}
        self._code = ReplacedCode(old, new)
        self._switched = SwitchedNames(old, new, self._code)
        self._transition = transition
        self._batch = batch
        self._guard = guard
        self._pending = PendingTrials(batch, guard)
        self._found: list[Finding] = []
        self._left: dict[int, list[Finding]] = {}
        self._supervisors: dict[int, Process] = {}
        self._migrated: set[int] = set()
        self._missed: set[int] = set()
        self._seconds = 0.0
        self._states_left = STATES_SECONDS
        self._kept = [module for module in transition.target.sources if module not in changed]
        self._threads = threads
        self._shared: SharedObjects | None = None
        self._cautions: list[str] = []
        self._has_fewer = False
        self._adopted = frozenset[int]()
        """The `id`s of the instances that the default migration of an install leaves in the states."""

    def search(self, runtime: Runtime) -> None:
        """Search through the values of all live processes that the script does not stop."""
        if not self._code.modules:
            return
        began = time.process_time()
        stopped = affected.pids_of_stopped(self._transition.script)
        places = [held for held in held_values(runtime) if not self._is_over(held, stopped)]
        migrated = {
            held.process.pid
            for held in places
            if held.place == "state" and held.process.module in self._transition.migrated
        }
        ids = ids_in_modules(self._kept) if migrated else {}
        self._shared = SharedObjects(places, migrated, other_holders(runtime, self._threads, self._kept), ids)
        self._adopted = frozenset(map(id, self._batch.adopted_instances()))
        self._switched.search(places)
        search = ValueSearch(self._code, SEARCH_SECONDS)
        search.run([held.value for held in places])
        converted = {number: places[number] for number in search.found if places[number].place in _CONVERTED}
        obstacles = self._pending.obstacles(converted)
        for number, found in search.found.items():
            at, obstacle = places[number], obstacles.get(number)
            self._found += [Finding(at, one, self._outcome(at, one, obstacle), obstacle) for one in found.values()]
        self._migrated = {one.pid for one in self._found if one.outcome == "migrated" and one.at.place in _OF_STATE}
        in_arguments = [one.at.process for one in self._found if one.at.place in ARGUMENT_PLACES]
        self._supervisors = {int(process.pid): process for process in in_arguments}
        self._guard(partial(self._pending.convert_arguments, self._supervisors.values()))
        self._missed = {int(places[number].process.pid) for number in search.missed} | self._pending.unknown
        self._seconds = time.process_time() - began

    def convert_pending(self, runtime: Runtime) -> None:
        """Convert the messages, timers and events that the install will convert, so that they hold no old code."""
        if any(one.at.place in PENDING_PLACES for one in self._found):
            self._guard(partial(self._pending.convert_pending, runtime))

    def check_migrated(self, process: Process, state: Any) -> None:
        """Search through the state that the code_change of a process has returned, if the old state has a finding."""
        self._has_fewer |= self._switched.check_migrated(int(process.pid), state)
        if self._shared is not None and isinstance(process, BehaviourProcess):
            kept = self._adopted if self._has_default_migration(process) else frozenset[int]()
            self._cautions += self._shared.warnings(process, process.raw_state(), state, kept)
        if process.pid not in self._migrated:
            return
        began = time.process_time()
        search = ValueSearch(self._code, min(STATE_SECONDS, self._states_left))
        search.run([state])
        self._states_left -= time.process_time() - began
        at = HeldValue(process, "state", state)
        left = search.found.get(0, {}).values()
        by: MigratedBy = "default migration" if self._has_default_migration(process) else "code_change"
        self._left[int(process.pid)] = [Finding(at, one, _of_sort(one) or "blocked", left_by=by) for one in left]
        if search.missed:
            self._missed.add(int(process.pid))

    def lost(self) -> Sequence[tuple[Process, LostField]]:
        """Return the fields that messages, timers and events would lose, with their processes."""
        return self._pending.lost

    def has_migrated(self) -> bool:
        """Return whether `check_migrated` has seen a state, so that the findings may have changed."""
        return bool(self._left or self._cautions or self._has_fewer)

    def conclude(self) -> LiveValuesFound:
        """Return the findings so far."""
        left = [one for findings in self._left.values() for one in findings]
        failed = {one.pid for one in left}
        kept = [
            one
            for one in self._found
            if one.outcome != "migrated" or one.pid not in failed or one.at.place not in _OF_STATE
        ]
        shared = limited(
            self._cautions, "objects in the states of processes are shared with tasks, threads, timers or modules"
        )
        described = describe([*kept, *left], self._transition, self._code, self._find_obstacle)
        return msgspec.structs.replace(
            described,
            warnings=(*described.warnings, *self._switched.sentences(), *shared, *self._incomplete()),
            not_searched=len(self._missed),
            seconds=self._seconds,
            supervisors=tuple(self._supervisors),
        )

    def _incomplete(self) -> Sequence[str]:
        return (INCOMPLETE,) if self._shared is not None and not self._shared.is_complete else ()

    def _find_obstacle(self, finding: Finding) -> Obstacle | None:
        """Return why the default migration of a process's state would fail.

        Return None if it would succeed, or if the process has a code_change of its own.
        """
        if not self._has_default_migration(finding.at.process):
            return None
        found: list[Obstacle] = []
        targets = namespaces_of(self._batch)
        self._guard(lambda: found.extend(migration_obstacles(finding.at.value, targets).obstacles[:1]))
        return found[0] if found else None

    def _has_default_migration(self, process: Process) -> bool:
        loaded = process.module in self._batch.modules
        namespace = self._batch.namespace(process.module) if loaded else sys.modules[process.module].__dict__
        cls = conditions.class_in(namespace, process.qualname)
        return cls is not None and inherits_code_change(cls)

    def _is_over(self, held: HeldValue, stopped: frozenset[int]) -> bool:
        """Return whether only old code can see the value.

        True for the values of a process that the script stops, except for its timers to a registered name. Also true
        for the values of an old coroutine, and for a call that is handled before its process is suspended.
        """
        process = held.process
        if process.pid in stopped:
            return not (held.place == "timer" and held.detail)
        if held.place == "call" and process.module in self._transition.suspended:
            return True
        return conditions.runs_old_coroutine(process, self._code.modules)

    def _outcome(self, at: HeldValue, found: FoundValue, obstacle: Obstacle | None) -> ValueOutcome:
        place, process = at.place, at.process
        if place in _OF_STATE and process.module in self._transition.migrated:
            return "migrated"
        if place in _CONVERTED and obstacle is None and found.sort not in SUSPENDED_SORTS:
            return "migrated"
        if place == "call" or (place == "message" and not process.suspend_owners):
            return "waits"
        return _of_sort(found) or "blocked"


def _of_sort(found: FoundValue) -> ValueOutcome | None:
    """Return the outcome "kept" for an exception, because code only reads exceptions; None for any other value."""
    return "kept" if found.sort == "exception" else None

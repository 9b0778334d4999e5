"""The switch itself: a relup's instructions run in order on held processes, with everything needed to put them back.

Without an asynchronous `apply` it is one turn of the event loop. All modules are switched at the first instruction that
loads or removes one; code_change gives each process a new state, which it gets when the whole script has run.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Literal, cast

from node_runtime.behaviours import hot
from node_runtime.behaviours.behaviour import Behaviour, Down
from node_runtime.behaviours.gen_statem import has_state
from node_runtime.behaviours.process import BehaviourProcess
from node_runtime.behaviours.shown import shown
from node_runtime.behaviours.starting import attribute, resolve
from node_runtime.code import Batch, CodeServer
from node_runtime.processes.errors import CRASHES
from node_runtime.processes.pid import ROOT, Pid
from node_runtime.processes.process import Process
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.messages import Blocker, ProcessResult, Term

from . import conditions
from .before import RESULTS, Before, Looking, limits
from .instructions import Low
from .progress import Progress
from .surroundings import Surroundings
from .transition import Transition

DESCRIBING_SECONDS = 0.05
NAMED = 3
"""How many processes one sentence names."""
UNSEEN = Term(type="state", text="‹there was no time to look at it›")
CHANGED = "its code_change changed the state that it was given"


class CodeChangeFailed(Exception):
    """A code_change raised what is no Exception and would end more than the operation: SystemExit, for one."""


class Unready(Exception):
    """A condition that held when everybody had been held does not hold any more."""

    def __init__(self, blockers: list[Blocker]) -> None:
        super().__init__(blockers[0].reason)
        self.blockers = blockers


@dataclass(slots=True)
class Change:
    """What happens to one process. `after` is its new state once code_change has made one.

    `spoilt`: its code_change has changed the state that it was given, and the process had to be left with that.
    """

    process: BehaviourProcess
    module: str
    action: Literal["load", "suspend", "migrate"]
    before: Any
    old_class: type[Behaviour]
    after: Any = None
    seen: Before | None = None
    migrated: bool = False
    adopted: bool = False
    spoilt: bool = False
    seconds: float = 0.0
    reason: str | None = None


@dataclass(slots=True)
class Switch:
    """One run of a transition's script over the processes in `held`."""

    transition: Transition
    batch: Batch
    code: CodeServer
    held: Mapping[int, Process]
    progress: Progress
    committed: bool = False
    past_bar: bool = False
    born: list[Pid] = field(default_factory=list)
    put_back_failed: str | None = None
    _changes: dict[int, Change] = field(default_factory=dict)
    _loaded: set[str] = field(default_factory=set)
    _undos: list[tuple[str, Callable[..., Any], list[Any]]] = field(default_factory=list)
    _versions: dict[str, tuple[str, str]] = field(default_factory=dict)
    _running: dict[str, dict[str, Any]] = field(default_factory=dict)
    _looking: Looking = field(default_factory=Looking)
    surroundings: Surroundings = field(default_factory=Surroundings)

    async def run(self) -> None:
        """Raises whatever an instruction raised; then call `put_back`."""
        for module in self.transition.removed:
            current, _ = self.code.versions(module)
            self._running[module] = current.namespace if current is not None else {}
        for module in self.transition.loaded:
            current, _ = self.code.versions(module)
            self._running[module] = current.namespace if current is not None else {}
            self._versions[module] = (current.vsn if current is not None else "", self.batch.version(module).vsn)
        for module in self.transition.loaded:
            action = self.transition.action(module)
            for process in conditions.users(module):
                self._changes[process.pid] = _change(process, module, action)
        self.surroundings.follow(self.transition.target, self.transition.configuration)
        with hot.spawn_barrier(owner=self.progress.id) as self.born:
            for step in self.transition.script:
                await self._do(step)
        for change in self._changes.values():
            if change.migrated and change.process.kind != "supervisor" and change.process.pid in runtime().processes:
                change.adopted = True
                hot.adopt(change.process.pid, change.after)

    async def _do(self, step: Low) -> None:
        match step[0]:
            case "point_of_no_return":
                self.past_bar = True
            case "load" | "remove":
                self._commit()
                self._loaded.add(step[1])
            case "code_change":
                self.progress.enter("migrating")
                for module, extra in step[2]:
                    for process in conditions.users(module):
                        if process.pid not in self.born:
                            self._migrate(process, module, step[1], extra)
            case "apply":
                function, reference = self._function(step[1]), step[3]["undo"]
                undo = self._function(reference) if reference else None
                await self._apply(function, step[2])
                if undo is not None:
                    self._undos.append((reference, undo, step[2]))

    def _commit(self) -> None:
        if self.committed:
            return
        unready = list(conditions.unready_states(self.transition, self.batch))
        if unready:
            raise Unready(unready)
        self.progress.enter("loading")
        self.batch.commit()
        self.committed = True

    # ------------------------------------------------------------------ processes

    def _migrate(self, process: BehaviourProcess, module: str, direction: str, extra: Any) -> None:
        change = self._changes.setdefault(process.pid, _change(process, module, "migrate"))
        if process.pid not in self.held:
            change.reason = f"{conditions.title(process)} began while the others were held, and can't be migrated"
            raise LookupError(change.reason)
        began = time.perf_counter()
        try:
            change.before = process.raw_state()
            if process.kind == "supervisor":
                change.adopted = True
                hot.re_read(process.pid)
                change.after = process.raw_state()
            else:
                change.seen = self._looking.at(process, change.before)
                change.after = self._changed(process, module, direction, change.before, extra)
        except BaseException as error:  # nothing awaits here: whatever it is, the code_change raised it
            change.reason = f"{type(error).__name__}: {error}"
            note = f"code_change of {conditions.title(process)} ({module})"
            if isinstance(error, Exception):
                error.add_note(note)
                raise
            raise CodeChangeFailed(f"{note}: {change.reason}") from error
        change.migrated = True
        change.seconds = time.perf_counter() - began

    def _changed(self, process: BehaviourProcess, module: str, direction: str, state: Any, extra: Any) -> Any:
        """The new state. Downwards the version that is left makes it, unless the other one is loaded already."""
        new = self.batch.namespace(module)
        old_vsn, new_vsn = self._versions[module]
        namespace = new if direction == "up" or module in self._loaded else self._running[module]
        cls = conditions.class_in(namespace, process.qualname)
        target = conditions.class_in(new, process.qualname)
        if cls is None or target is None:
            raise LookupError(f"{module} has no class {process.qualname}")
        changed = cls.code_change(old_vsn if direction == "up" else Down(new_vsn), state, extra)
        if inspect.isawaitable(changed):
            if inspect.iscoroutine(changed):
                changed.close()
            raise TypeError("code_change must not be async: nothing may run while code is switched")
        if process.kind == "gen_statem":
            name, _ = changed
            if not has_state(target, name):
                raise ValueError(f"it returned state {name}, which {self.transition.target.vsn} does not define")
        return changed

    # ------------------------------------------------------------------ functions

    def _function(self, reference: str) -> Callable[..., Any]:
        """A function as the script has it here: all modules switch at once, but each counts from its own load on."""
        module, _, name = reference.partition(":")
        if self.committed and module not in self._loaded and (running := self._running.get(module)):
            return cast("Callable[..., Any]", attribute(module, SimpleNamespace(**running), name))
        return cast("Callable[..., Any]", resolve(reference))

    async def _apply(self, function: Callable[..., Any], args: list[Any]) -> None:
        result = function(*args)
        if inspect.isawaitable(result):
            async with asyncio.timeout(self.transition.hold_seconds):
                await result

    # ------------------------------------------------------------------ putting back

    async def put_back(self) -> None:
        """Undo all that `run` has done. What can't be undone is said in `put_back_failed`."""
        failed = []
        for reference, undo, args in reversed(self._undos):
            try:
                await self._apply(undo, args)
            except CRASHES as error:
                failed.append(f"{reference}: {type(error).__name__}: {error}")
        if self.committed:
            self.batch.revert()
        self.surroundings.put_back()
        for change in reversed(self._changes.values()):
            if change.adopted and change.process.pid in runtime().processes:
                try:
                    hot.adopt(change.process.pid, change.before)
                except Exception as error:
                    failed.append(f"{conditions.title(change.process)}: {type(error).__name__}: {error}")
        for pid in self.born:
            if (process := runtime().processes.get(pid)) is not None:
                runtime().signal(process, ROOT, "kill")
        failed += self._spoilt()
        self.put_back_failed = "; ".join(failed) or None

    def _spoilt(self) -> Iterator[str]:
        """Find the processes whose states are not what they were, and say so."""
        for change in self._changes.values():
            if change.seen is not None and change.process.pid in runtime().processes:
                change.spoilt = change.seen.is_changed()
        if spoilt := [change for change in self._changes.values() if change.spoilt]:
            yield f"{_names(spoilt)}: {CHANGED}"

    def unchecked(self) -> str | None:
        """Whose states could not be compared with what they were, in a few words; None if all were."""
        unknown = [one for one in self._changes.values() if one.seen is not None and one.seen.print is None]
        return f"not compared with what it was: the state of {_names(unknown)}" if unknown else None

    # ------------------------------------------------------------------ results

    def results(self, *, put_back: bool = False) -> tuple[ProcessResult, ...]:
        """What became of each process, those that failed first; at most `RESULTS`."""
        ordered = sorted(self._changes.values(), key=lambda change: change.reason is None and not change.spoilt)
        deadline = time.monotonic() + DESCRIBING_SECONDS
        return tuple(self._result(change, put_back, deadline) for change in ordered[:RESULTS])

    def _result(self, change: Change, put_back: bool, deadline: float) -> ProcessResult:
        old_vsn, new_vsn = self._versions.get(change.module, ("", ""))
        before = after = self._before(change, deadline)
        if change.migrated and not put_back:
            after = shown(type(change.process.instance), change.after, limits(deadline - time.monotonic()))
        elif change.spoilt:
            after = shown(change.old_class, change.before, limits(deadline - time.monotonic()))
        alive = change.process.pid in runtime().processes
        outcome: Literal["ok", "failed", "died", "put back"] = "ok"
        reason = change.reason
        if change.spoilt:
            reason = CHANGED if reason is None else f"{reason}; {CHANGED}"
        if reason is not None:
            outcome = "failed"
        elif not alive:
            outcome = "died"
        elif put_back:
            outcome = "put back"
        return ProcessResult(
            pid=int(change.process.pid),
            name=change.process.name,
            module=change.module,
            action=change.action,
            old_vsn=old_vsn,
            new_vsn=new_vsn,
            outcome=outcome,
            seconds=change.seconds,
            before=before,
            after=after,
            reason=reason,
        )

    def _before(self, change: Change, deadline: float) -> Term:
        """The state as it was; a code_change may have changed what it was given, even one that went well."""
        if change.seen is not None and change.seen.term is not None:
            return change.seen.term
        if change.seen is not None and not change.seen.is_same():
            return UNSEEN
        return shown(change.old_class, change.before, limits(deadline - time.monotonic()))


def _names(changes: list[Change]) -> str:
    more = f" and {len(changes) - NAMED} more" if len(changes) > NAMED else ""
    return ", ".join(conditions.title(change.process) for change in changes[:NAMED]) + more


def _change(process: BehaviourProcess, module: str, action: Literal["load", "suspend", "migrate"]) -> Change:
    return Change(process, module, action, process.raw_state(), type(process.instance))

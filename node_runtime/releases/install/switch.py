"""The switch itself: a relup's instructions run in order on held processes, with everything needed to put them back.

Without an asynchronous `apply` it is one turn of the event loop. All modules are switched at the first instruction that
loads or removes one; code_change gives each process a new state, which it gets when the whole script has run.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

from node_runtime.behaviours.behaviour import Behaviour, Down
from node_runtime.behaviours.behaviour_process import BehaviourProcess
from node_runtime.behaviours.callback_class import CodeInUse
from node_runtime.behaviours.starting import attribute, resolve
from node_runtime.behaviours.supervision.child_table import Child, Table
from node_runtime.behaviours.supervision.management import restart_child, start_child, terminate_child
from node_runtime.behaviours.upgrade import deferred_exits, live_processes
from node_runtime.behaviours.upgrade.holding import Hold, raw_states, release
from node_runtime.code import Batch, CodeServer
from node_runtime.processes.errors import describe_reason, is_cancelled
from node_runtime.processes.pid import Pid
from node_runtime.processes.process import DEAD
from node_runtime.processes.runtime import Closed, runtime
from node_runtime.processes.transaction import Barrier, entered
from node_runtime.protocol.messages import Blocker
from node_runtime.releases.files.appup_instructions import Low
from node_runtime.releases.operation_progress import Progress
from node_runtime.releases.planning import conditions
from node_runtime.releases.planning.transition import Transition
from node_runtime.releases.relup.instruction_text import sentence

from .app_env import Surroundings, follow_sources
from .migration import Migration
from .mutation_check import Noted

logger = logging.getLogger("node_runtime")

NAMED = 3
"""How many processes one sentence names."""
CHANGED = "its code_change changed the state that it was given"


class Unready(Exception):
    """A condition that held when everybody had been held does not hold any more."""

    def __init__(self, blockers: list[Blocker]) -> None:
        super().__init__(blockers[0].reason)
        self.blockers = blockers


class Switch:
    """One run of a transition's script over the processes that are held.

    After `run` comes `resume`, or `put_back` if it raised; then, in later turns, `end`, since ends take their time.
    """

    def __init__(self, transition: Transition, batch: Batch, code: CodeServer, hold: Hold, progress: Progress) -> None:
        self.transition = transition
        self.batch = batch
        self.code = code
        self.hold = hold
        self.progress = progress
        self.past_bar = False
        self.put_back_failed: str | None = None
        self.migrations: dict[CodeInUse, Migration] = {}
        self.re_read: dict[int, Any] = {}
        """What the supervisors that have read their children again had before."""
        self.versions: dict[str, tuple[str, str]] = {}
        """Of each module that is loaded: its version before and after."""
        self.noted = Noted()
        self.spoilt: list[BehaviourProcess] = []
        self.failed: tuple[BehaviourProcess, BaseException] | None = None
        self.surroundings = Surroundings()
        self._inside = Barrier(progress.id, transition.hold_seconds)
        self._committed = False
        self._loaded: set[str] = set()
        self._brutal: set[str] = set()
        self._undos: list[tuple[str, Callable[..., Any], list[Any]]] = []
        self._running: dict[str, dict[str, Any]] = {}
        self._stopped: list[tuple[Pid, Child, frozenset[str]]] = []

    async def run(self) -> None:
        """Raises whatever an instruction raised; then call `put_back`."""
        for module in self.transition.removed:
            current, _ = self.code.versions(module)
            self._running[module] = current.namespace if current is not None else {}
        for module in self.transition.loaded:
            current, _ = self.code.versions(module)
            self._running[module] = current.namespace if current is not None else {}
            self.versions[module] = (current.vsn if current is not None else "", self.batch.version(module).vsn)
        self.surroundings.adopt(self.transition.target, self.transition.configuration)
        runtime().closed = Closed({*self.transition.loaded, *self.transition.suspended, *self.transition.removed})
        with entered(self._inside):
            for number, step in enumerate(self.transition.script, 1):
                try:
                    await self._do(step)
                except BaseException as error:
                    if self.failed is None:
                        error.add_note(f"instruction {number}, {sentence(step)}")
                    raise
        follow_sources(self.code, self.transition.left, self.transition.target)

    async def _do(self, step: Low) -> None:
        match step[0]:
            case "point_of_no_return":
                self.past_bar = True
            case "load" | "remove":
                self._commit()
                self._loaded.add(step[1])
                self._inside.earlier.pop(step[1], None)
                if step[3] == "brutal_purge":
                    self._brutal.add(step[1])
            case "code_change":
                self.progress.enter("migrating")
                for module, extra in step[2]:
                    self._migrate(module, step[1], extra)
            case "apply":
                function, reference = self._function(step[1]), step[3]["undo"]
                undo = self._function(reference) if reference else None
                await self._apply(function, step[2])
                if undo is not None:
                    self._undos.append((reference, undo, step[2]))
            case "stop":
                await self._stop(step[1])
            case "start":
                await self._start(step[1])
            case "purge":
                for module in step[1]:
                    self._inside.endings.append(partial(self._purge, module))

    def _commit(self) -> None:
        if self._committed:
            return
        unready = list(conditions.unready_states(self.transition, self.batch))
        if unready:
            raise Unready(unready)
        self.progress.enter("loading")
        self.batch.commit()
        self._committed = True
        self._inside.earlier.update((module, running) for module, running in self._running.items() if running)

    async def _purge(self, module: str) -> None:
        if module in self._brutal:
            self.code.purge(module)
        else:
            await asyncio.to_thread(self.code.soft_purge, module)

    # ------------------------------------------------------------------ processes

    def _migrate(self, module: str, direction: str, extra: Any) -> None:
        for code, group in self.hold.groups.items():
            if code.module == module:
                alive = [one for one in group if one.gate is not DEAD]
                if parked := self._inside.parked:
                    alive = [one for one in alive if one.pid not in parked]
                if alive and alive[0].kind == "supervisor":
                    self._read_again(alive, module)
                elif alive:
                    self._change(code, alive, module, direction, extra)

    def _change(
        self, code: CodeInUse, processes: list[BehaviourProcess], module: str, direction: str, extra: Any
    ) -> None:
        """New states for all processes of a class. Downwards the version that is left makes them, unless the other
        one is loaded already.
        """
        new = self.batch.namespace(module)
        old_vsn, new_vsn = self.versions[module]
        cls, target = (
            self._class(namespace, code)
            for namespace in (new if direction == "up" or module in self._loaded else self._running[module], new)
        )
        before = self.migrations.get(code)
        if before is None:
            states = raw_states(processes)
        else:  # a second code_change in one script goes on with what the first one made
            made = {process.pid: state for process, state in zip(before.processes, before.after, strict=True)}
            states = [made[process.pid] for process in processes]
        self.noted.note(processes, states)
        migration = self.migrations[code] = Migration(module, code, target, processes, states, [])
        vsn = old_vsn if direction == "up" else Down(new_vsn)
        code_change: Any = cls.code_change  # type: ignore[attr-defined]  # whatever has callbacks has it
        try:
            migration.run(code_change, vsn, extra, self.transition.target.vsn)
        except BaseException:
            self.failed = migration.failed
            raise

    def _class(self, namespace: dict[str, Any], code: CodeInUse) -> type[Behaviour]:
        cls = conditions.class_in(namespace, code.qualname)
        if cls is None:
            raise LookupError(f"{code.module} has no class {code.qualname}")
        return cls

    def _read_again(self, supervisors: Iterable[BehaviourProcess], module: str) -> None:
        for process in supervisors:
            self.re_read[process.pid] = process.raw_state()
            try:
                live_processes.re_read(process.pid)
            except Exception as error:
                self.failed = process, error
                error.add_note(f"code_change of {conditions.title(process)} ({module})")
                raise

    # ------------------------------------------------------------------ functions and children

    def _function(self, reference: str) -> Callable[..., Any]:
        """A function as the script has it here: all modules switch at once, but each counts from its own load on."""
        module, _, name = reference.partition(":")
        if module in self._inside.earlier:
            return cast("Callable[..., Any]", attribute(module, SimpleNamespace(**self._inside.earlier[module]), name))
        return cast("Callable[..., Any]", resolve(reference))

    async def _apply(self, function: Callable[..., Any], args: list[Any]) -> None:
        result = function(*args)
        if inspect.isawaitable(result):
            seconds = self.transition.hold_seconds
            try:
                async with asyncio.timeout(seconds) as limit:
                    await result
            except TimeoutError:
                if limit.expired():
                    raise TimeoutError(f"it had not ended after {seconds:g} s") from None
                raise

    async def _stop(self, modules: list[str]) -> None:
        """Terminate every child that runs one of the modules. Follows release_handler's stop."""
        for supervisor, child, ran in reversed(list(children_of(modules))):
            await terminate_child(supervisor, child.spec.id if child.args is None else child.pid or Pid(0))
            self._stopped.append((supervisor, child, ran))

    async def _start(self, modules: list[str]) -> None:
        """Start again what was stopped; an instance with its own arguments, but a temporary one is gone for good."""
        due = [one for one in reversed(self._stopped) if not one[2].isdisjoint(modules)]
        self._stopped = [one for one in self._stopped if one not in due]
        for supervisor, child, _ in due:
            if child.spec.restart == "temporary":
                continue
            if child.args is None:
                await restart_child(supervisor, child.spec.id)
            else:
                await start_child(supervisor, child.args[len(child.spec.args) :])

    # ------------------------------------------------------------------ the end, one way or the other

    def resume(self) -> None:
        """Everybody gets its new state and goes on, in this turn. It can't fail."""
        for code, migration in self.migrations.items():
            self.hold.resume_as(code, migration.target, migration.processes, migration.after)
        self._open(self.migrations)

    def _open(self, resumed: Iterable[CodeInUse] = ()) -> None:
        self.hold.release(but=frozenset(resumed))
        for pid in (*self._inside.born, *self._inside.held):
            release(pid, owner=self.hold.owner)
        self._inside.over = True
        closed, runtime().closed = runtime().closed, None
        if closed is not None:
            closed.opened.set()

    async def put_back(self) -> None:
        """Undo all that `run` has done and let everybody go on. What can't be undone is said in `put_back_failed`."""
        failed: list[str] = []
        try:
            with entered(self._inside):
                for reference, undo, args in reversed(self._undos):
                    try:
                        await self._apply(undo, args)
                    except BaseException as error:
                        if is_cancelled():
                            raise
                        failed.append(f"{reference}: {describe_reason(error)}")
        finally:  # also where the node stops meanwhile: nobody may stay held
            self._put_back(failed)

    def _put_back(self, failed: list[str]) -> None:
        for what, back in (
            ("the code", self.batch.revert if self._committed else None),
            ("the environment", self.surroundings.put_back),
            ("the processes", partial(deferred_exits.take_back, self._inside)),
            ("the states", self._look_at_states),
        ):
            try:
                if back is not None:
                    back()
            except Exception as error:
                logger.exception("%s could not be put back", what)
                failed.append(f"{what}: {describe_reason(error)}")
        if self.spoilt:
            failed.append(f"{names(self.spoilt)}: {CHANGED}")
        self.put_back_failed = "; ".join(failed) or None
        self._inside.born, born = [], self._inside.born
        self._open()
        self._inside.born = born

    def _look_at_states(self) -> None:
        self.spoilt = list(self.noted.changed())

    async def end(self, *, succeeded: bool) -> None:
        """End what the script has stopped; or, if it has failed, what it has started."""
        await (deferred_exits.carry_out(self._inside) if succeeded else deferred_exits.end_born(self._inside))

    def unchecked(self) -> str | None:
        """Whose states could not be compared with what they were, in a few words; None if all were."""
        unknown = self.noted.unknown()
        return f"not compared with what it was: the state of {names(unknown)}" if unknown else None


def children_of(modules: Iterable[str]) -> Iterator[tuple[Pid, Child, frozenset[str]]]:
    """The running children that are of one of the modules, by their own word or by their specification's.

    With their supervisors and all of those modules, in start order.
    """
    known = runtime().processes
    for process in list(known.values()):
        table = process.raw_state() if process.kind == "supervisor" and isinstance(process, BehaviourProcess) else None
        if isinstance(table, Table):
            for child in list((table.children if table.template is None else table.by_pid).values()):
                if child.pid is not None and (running := known.get(child.pid)) is not None:
                    of = frozenset((*child.spec.modules, running.module))
                    if not of.isdisjoint(modules):
                        yield process.pid, child, of


def names(processes: Iterable[BehaviourProcess]) -> str:
    """A few of them, and how many more there are."""
    every = list(processes)
    more = f" and {len(every) - NAMED} more" if len(every) > NAMED else ""
    return ", ".join(conditions.title(process) for process in every[:NAMED]) + more

"""The switch: runs the instructions of a relup's script while processes are suspended, and undoes them on failure.

If no `apply` is asynchronous, the script runs in one turn of the event loop. The first instruction that loads or
removes a module switches all modules. code_change makes the new states; processes get them after the whole script.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import repeat
from typing import Any, assert_never

from node_runtime import Down, Vsn
from node_runtime.behaviours.upgrade import live_processes
from node_runtime.behaviours.upgrade.live_processes import (
    Behaviour,
    BehaviourProcess,
    CallbackVersion,
    Hold,
    NewInstances,
    raw_states,
    release,
)
from node_runtime.code import Batch, CodeServer, module_view
from node_runtime.processes.exit_reasons import describe_reason
from node_runtime.processes.process import DEAD
from node_runtime.processes.runtime import BlockedModules, runtime
from node_runtime.processes.transaction import DeferredAction, Transaction, inside_transaction
from node_runtime.protocol.messages import Blocker, Direction
from node_runtime.releases.files.relup_instructions import (
    Apply,
    CodeChange,
    Load,
    LoadObjectCode,
    PointOfNoReturn,
    Purge,
    RelupInstruction,
    Remove,
    RestartChild,
    RestartEmulator,
    RestartNewEmulator,
    ResumeProcesses,
    StartProcesses,
    StopProcesses,
    SuspendProcesses,
    SyncNodes,
)
from node_runtime.releases.migration import DefaultMigration, MadeAhead, inherits_code_change, namespaces_of
from node_runtime.releases.operation_progress import OperationProgress
from node_runtime.releases.planning import conditions
from node_runtime.releases.planning.participants import participants
from node_runtime.releases.planning.transition import Transition
from node_runtime.releases.relup.instruction_text import sentence

from .argument_conversion import ArgumentConversion
from .migration import Migration
from .mutation_check import MutationCheck, names
from .noted_errors import with_note
from .pending_conversion import NotConvertible, PendingConversion
from .script_calls import ScriptCalls
from .script_environment import ScriptEnvironment
from .standard_descriptors import standard_descriptors_kept
from .unsuspended import UnsuspendedProcesses

logger = logging.getLogger("node_runtime")

MUTATED_REASON = "its code_change mutated the old state"


class ConditionNotMet(Exception):
    """A condition for switching the code was met before the processes were suspended, but is not met any more."""

    def __init__(self, blockers: list[Blocker]) -> None:
        super().__init__(blockers[0].reason)
        self.blockers = blockers


class Switch:
    """One run of a transition's script while its processes are suspended.

    Call `prepare`, suspend the processes, and call `run` and then `resume`. After an error before `resume`, call
    `put_back` instead. In a later turn of the event loop, call `end`, which may take long.
    """

    def __init__(
        self, transition: Transition, batch: Batch, code: CodeServer, hold: Hold, progress: OperationProgress
    ) -> None:
        self.transition = transition
        self.batch = batch
        self.code = code
        self.hold = hold
        self.progress = progress
        self.to_be_stopped: frozenset[int] = frozenset()
        """The pids of the processes that the script stops."""
        self.arguments = ArgumentConversion(None)
        self.ahead: MadeAhead | None = None
        """The new objects that have been made before the processes were held."""
        self.past_point_of_no_return = False
        self.put_back_failed: str | None = None
        self.migrations: dict[CallbackVersion, Migration] = {}
        self.earlier_child_tables: dict[int, Any] = {}
        """The old state of each supervisor that has reloaded its child specifications, by pid."""
        self.versions: dict[str, tuple[str, str]] = {}
        """The old and the new version of each loaded module."""
        self.mutation_check = MutationCheck()
        self.mutated: list[BehaviourProcess] = []
        self.failed: tuple[BehaviourProcess, BaseException] | None = None
        self.environment = ScriptEnvironment(transition, code, progress)
        self._transaction = Transaction(progress.id, transition.hold_seconds)
        self.unsuspended = UnsuspendedProcesses(transition, hold, self._transaction)
        self.calls = ScriptCalls(self._transaction, transition.hold_seconds, self.unsuspended.hold)
        self._committed = False
        self._loaded: set[str] = set()
        self._purged_brutally: set[str] = set()
        self._new_instances: list[NewInstances] = []
        self._old_namespaces: dict[str, dict[str, Any]] = {}
        self._default: DefaultMigration | None = None
        self._pending = PendingConversion({*transition.loaded, *transition.removed}, hold)

    async def prepare(self) -> None:
        """Run the instructions before the point of no return. They may wait for processes: none is suspended yet."""
        before = self.transition.script[: self.transition.point_of_no_return]
        if any(isinstance(step, Apply) for step in before):
            self.progress.enter("preparing")
            self.environment.adopt()
            await self._carry_out(before, 1)
            self.unsuspended.waited = True  # for the processes to be suspended; meanwhile, other code runs

    async def run(self) -> None:
        """Run the script from the point of no return on. Raises the error of an instruction that fails."""
        for module in (*self.transition.removed, *self.transition.loaded):
            current, _ = self.code.versions(module)
            self._old_namespaces[module] = current.namespace if current is not None else {}
            if module in self.transition.loaded:
                self.versions[module] = (current.vsn if current is not None else "", self.batch.version(module).vsn)
        self.environment.adopt()
        runtime().blocked_modules = BlockedModules(
            {*self.transition.loaded, *self.transition.suspended, *self.transition.removed}
        )
        bar = self.transition.point_of_no_return
        await self._carry_out(self.transition.script[bar:], bar + 1)
        self.environment.change_sources()
        self.unsuspended.hold_removed()
        if self.unsuspended.held_at is not None and (blockers := self._convert_pending()):
            raise NotConvertible(blockers)  # a message was sent while the script waited
        self.progress.enter("resuming")
        self._new_instances = [self._make_instances(code, migration) for code, migration in self.migrations.items()]
        self._default = self.ahead = None  # they refer to all old and new states

    async def _carry_out(self, steps: Sequence[RelupInstruction], first: int) -> None:
        """Carry out instructions of the script. `first` is the number of the first one."""
        with inside_transaction(self._transaction), standard_descriptors_kept():
            for number, step in enumerate(steps, first):
                try:
                    await self._do(step)
                except BaseException as error:
                    if self.failed is None:
                        raise with_note(error, f"instruction {number}, {sentence(step)}")  # noqa: B904  # it is the same error, if possible
                    raise

    def _make_instances(self, code: CallbackVersion, migration: Migration) -> NewInstances:
        made = NewInstances(code, migration.target, migration.processes)
        try:
            made.make(migration.after)
        except BaseException as error:
            self.failed = made.next, error
            raise with_note(error, f"the resume of {conditions.process_label(made.next)} ({migration.module})")  # noqa: B904  # it is the same error, if possible
        return made

    async def _do(self, step: RelupInstruction) -> None:
        match step:
            case PointOfNoReturn():
                self.past_point_of_no_return = True
            case Load() | Remove():
                self._switch(step)
            case CodeChange():
                self.progress.enter("migrating")
                for changed in step.modules:
                    self._migrate(changed.module, step.direction, changed.extra)
            case Apply():
                await self.calls.apply(step)
            case StopProcesses():
                await self.calls.stop(step.modules)
            case StartProcesses():
                await self.calls.start(step.modules)
            case RestartChild():
                await self.calls.restart_child(step)
            case Purge():
                self._transaction.deferred_actions += map(self._deferred_purge, step.modules)
            case LoadObjectCode() | SuspendProcesses() | ResumeProcesses():
                pass  # done before the script runs; `resume` resumes all processes after it
            case SyncNodes() | RestartEmulator() | RestartNewEmulator():
                pass  # such a script is refused before the install
            case _:
                assert_never(step)

    def _switch(self, step: Load | Remove) -> None:
        self._commit()
        self._loaded.add(step.module)
        self._transaction.previous_namespaces.pop(step.module, None)
        if step.post_purge == "brutal_purge":
            self._purged_brutally.add(step.module)

    def _commit(self) -> None:
        if self._committed:
            return
        unready = list(conditions.unready_state_machines(self.transition, self.batch, self.to_be_stopped))
        if unready:
            raise ConditionNotMet(unready)
        if blockers := [*self._convert_pending(), *self._convert_arguments()]:
            raise ConditionNotMet(blockers)
        self.progress.enter("loading")
        self.batch.commit()
        self.arguments.apply()
        self._committed = self.unsuspended.switched = True
        participants().switch()
        self.environment.change_sources()
        self._transaction.previous_namespaces.update(
            (module, running) for module, running in self._old_namespaces.items() if running
        )

    def _convert_pending(self) -> list[Blocker]:
        """Convert queued messages, timers and postponed events; return a blocker for each that can't be converted."""
        if not any(self._old_namespaces.values()):
            return []  # the script only adds modules
        return self._pending.prepare(self._default_migration, self.to_be_stopped)

    def _convert_arguments(self) -> list[Blocker]:
        """Convert the arguments of children's restarts; return a blocker for each that can't be converted."""
        replaces = any(self._old_namespaces.values())
        return self.arguments.prepare(self._default_migration) if replaces else []

    def _deferred_purge(self, module: str) -> DeferredAction:
        async def purge() -> None:
            if module in self._purged_brutally:
                self.code.purge(module)
            else:
                await asyncio.to_thread(self.code.soft_purge, module)

        return DeferredAction(f"the purge of {module}", purge)

    # ------------------------------------------------------------------ processes

    def _migrate(self, module: str, direction: Direction, extra: Any) -> None:
        for code, group in self.hold.groups.items():
            if code.module == module:
                alive = [process for process in group if process.run_state is not DEAD]
                if self._transaction.exiting:
                    alive = [process for process in alive if not self._transaction.is_exiting(process)]
                if alive and alive[0].kind == "supervisor":
                    self._reread_children(alive, module)
                elif alive:
                    self._make_states(code, alive, module, direction, extra)

    def _make_states(
        self, code: CallbackVersion, processes: list[BehaviourProcess], module: str, direction: Direction, extra: Any
    ) -> None:
        """Make new states for all processes of a class, by the code_change of the newer version.

        In a downgrade, the code_change of the older version is called if the script has already loaded the older
        version.
        """
        new = self.batch.namespace(module)
        old_vsn, new_vsn = self.versions[module]
        cls, target = (
            self._class(namespace, code)
            for namespace in (new if direction == "up" or module in self._loaded else self._old_namespaces[module], new)
        )
        before = self.migrations.get(code)
        if before is None:
            states = raw_states(processes)
        else:  # a second code_change in the script gets the states that the first one made
            made = {process.pid: state for process, state in zip(before.processes, before.after, strict=True)}
            states = [made[process.pid] for process in processes]
        self.mutation_check.take_fingerprints(processes, states)
        migration = self.migrations[code] = Migration(module, code, target, processes, states, [])
        vsn = old_vsn if direction == "up" else Down(new_vsn, module_view(new))
        try:
            migration.run(self._code_change(cls, vsn, extra), self.transition.target.vsn, self.code.modules)
        except BaseException:
            self.failed = migration.failed
            raise

    def _code_change(self, cls: Any, vsn: Vsn | Down, extra: Any) -> Callable[[Iterable[Any]], Iterable[Any]]:
        """Return a function that makes new states by the code_change of a class, or by the default migration."""
        if not inherits_code_change(cls):
            return lambda states: map(cls.code_change, repeat(vsn), states, repeat(extra))
        default = self._default_migration()
        return lambda states: (default.migrate(state, cls.__qualname__)[0] for state in states)

    def _default_migration(self) -> DefaultMigration:
        """Return the default migration of this install. Objects that states and messages share stay shared."""
        if self._default is None:
            adopted = [] if self._committed else self.batch.adopted_instances()
            self._default = DefaultMigration(namespaces_of(self.batch), self.ahead, adopted)
        return self._default

    def _class(self, namespace: dict[str, Any], code: CallbackVersion) -> type[Behaviour]:
        cls = conditions.class_in(namespace, code.qualname)
        if cls is None:
            raise LookupError(f"{code.module} has no class {code.qualname}")
        return cls

    def _reread_children(self, supervisors: Iterable[BehaviourProcess], module: str) -> None:
        for process in supervisors:
            self.earlier_child_tables[process.pid] = process.raw_state()
            try:
                live_processes.reload_child_specs(process.pid)
            except Exception as error:
                self.failed = process, error
                raise with_note(error, f"code_change of {conditions.process_label(process)} ({module})")  # noqa: B904  # it is the same error, if possible

    # ------------------------------------------------------------------ resume, or put back

    def resume(self) -> None:
        """Give each process its new state and resume all processes, in this turn of the event loop. Can't fail."""
        self._pending.apply()
        for made in self._new_instances:
            self.hold.resume_as(made)
        self._new_instances = []
        removed = [code for code in self.hold.groups if code.module in self.transition.removed]
        self._resume_all([*self.migrations, *removed])

    def _resume_all(self, but: Iterable[CallbackVersion] = ()) -> None:
        self.hold.release(but=frozenset(but))
        for pid in (*self._transaction.started, *self._transaction.held):
            release(pid, owner=self.hold.owner)
        self._transaction.ended = True
        blocked, runtime().blocked_modules = runtime().blocked_modules, None
        if blocked is not None:
            blocked.unblocked.set()

    async def put_back(self) -> None:
        """Undo `prepare` and `run`, and resume all processes. `put_back_failed` then names what could not be undone."""
        failed: list[str] = []
        waited = self.unsuspended.waited  # read before the undos, which may wait, too
        try:
            with inside_transaction(self._transaction):
                await self.calls.undo(failed)
        finally:  # also if the node stops while an undo runs: no process may stay suspended
            self._put_back(failed, waited)

    def _put_back(self, failed: list[str], waited: bool) -> None:
        for what, back in (
            ("the files", self.environment.undo_sources),
            ("the code", self.batch.revert if self._committed else None),
            ("the parts of the node that take part in installs", participants().put_back),
            ("the sources", self.environment.register_old_sources),
            ("the environment", self.environment.put_back_parameters),
            ("the settings of the OS process", partial(self.environment.put_back_settings, waited=waited)),
            ("the processes", partial(live_processes.put_back_processes, self._transaction)),
            ("the arguments of children", self.arguments.put_back if self._committed else None),
            ("the restarted children", self.calls.forget_ended_children),
            ("the states", self._find_mutated_states),
        ):
            try:
                if back is not None:
                    back()
            except BaseException as error:
                logger.exception("a failed install could not undo its changes to %s", what)
                failed.append(f"{what}: {describe_reason(error)}")
        if self.mutated:
            failed.append(f"{names(self.mutated)}: {MUTATED_REASON}")
        self._transaction.started, started = [], self._transaction.started
        try:
            self._resume_all()
        except BaseException as error:
            logger.exception("a failed install could not resume all processes")
            failed.append(f"the suspended processes: {describe_reason(error)}")
        self.put_back_failed = "; ".join(failed) or None
        self._transaction.started = started

    def _find_mutated_states(self) -> None:
        self.mutated = list(self.mutation_check.mutated())

    async def end(self, *, succeeded: bool) -> None:
        """End the processes that a successful script has stopped, or those that a failed script has started."""
        try:
            await (live_processes.run_deferred_exits(self._transaction) if succeeded else self._end_failed())
        finally:
            self.unsuspended.release_removed()
            self._transaction.forget()

    async def _end_failed(self) -> None:
        await live_processes.end_started_processes(self._transaction)
        await self.calls.start_ended_children()

    def forget_errors(self) -> None:
        """Drop the errors that this object keeps. Their tracebacks refer to this object: a reference cycle."""
        self.failed = None
        self._new_instances = []
        self._default = self.ahead = None
        self._pending.drop()
        for migration in self.migrations.values():
            migration.failed = None

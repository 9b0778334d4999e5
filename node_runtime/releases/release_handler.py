"""The node's release handler: executes operators' requests, one operation at a time. Follows OTP's release_handler.

The release handler runs on the event loop's thread. An operation continues after its client has disconnected.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec

from node_runtime.behaviours.upgrade.live_processes import ChildSpecChangeCounter
from node_runtime.code import CodeServer
from node_runtime.processes.exit_reasons import describe_reason
from node_runtime.processes.redaction.struct_redaction import redact_struct
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import (
    Abort,
    Commit,
    Health,
    Install,
    Operation,
    Plan,
    ReleaseInfo,
    Rollback,
)

from . import operation_checks, operation_outcome, probation
from .approvals import Approvals
from .cold_upgrade import CarryOut, ColdUpgrades
from .files.schemas import ProbationSettings
from .operation_history import CLEAN_EXIT, OperationHistory, PreviousExit, write_intent
from .operation_listeners import OperationListeners
from .operation_progress import OperationProgress, new_operation
from .path_install import PathInstall
from .plan import make_plan, no_plan, with_failure
from .planning.old_versions import drop_old_versions
from .planning.transition import Transition
from .probation import Probation
from .refused_plan import refused_plan
from .rehearsal import RehearsalProgress
from .store.staging_request import PLAIN_REQUEST, StageRequest
from .workers import ONLY_WORKER, LedWorkers, WorkerPlace, with_worker_warnings

logger = logging.getLogger("node_runtime")
HALT_DELAY_SECONDS = 0.5  # the wait before the restart after a failed install, so that clients receive the outcome


class ReleaseHandler:
    """Installs, commits, reverts and removes the releases of the node whose directory is `root`.

    `name` is the name of all its releases. `vsn` is the running release; at boot, it is the release that booted.
    `permanent` is the release that the next boot starts. `generation` counts the changes of the node that make earlier
    plans stale: installs, commits and changes of child specifications. `last` is the node's exit before this boot.
    """

    def __init__(
        self,
        root: Path,
        vsn: str,
        code: CodeServer,
        last: PreviousExit = CLEAN_EXIT,
        place: WorkerPlace = ONLY_WORKER,
    ) -> None:
        self.root = root
        self.vsn = vsn
        self._changes = 1
        self._code = code
        self._store = place.open_store(root, code.used_paths)
        self.name = self._store.name
        self._history = OperationHistory(place.var(root) / "history", self.permanent, vsn, last)
        self._mark_lost(last)
        self.on_phase: Callable[[str], None] = lambda phase: None
        """A function that gets each phase of an operation when the phase begins, and "" when the operation ends."""
        self._running: OperationProgress | None = None
        self._removed: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._listeners = listeners = OperationListeners()
        self._probation = Probation(
            self._revert, self._restart, self._store.bootable, lambda health: listeners.report_health(self.vsn, health)
        )
        self.cold = ColdUpgrades(self._store, self._history, self._probation, self._start, self._end)
        self.rehearsals = RehearsalProgress()
        self._install = PathInstall(
            self._store, code, self.rehearsals, self._probation, lambda: self.vsn, self._switched
        )
        self.approvals = Approvals(self._store, lambda vsn: self._transition(vsn).plan_id(self.generation))

    # ------------------------------------------------------------------ queries

    @property
    def workers(self) -> LedWorkers:
        """The other workers of the node, which follow this one."""
        return self._install.workers

    def lead(self, workers: LedWorkers) -> None:
        """Lead the other workers of the node. Called once, at boot."""
        self._install.workers = workers
        workers.on_changed = self._repair_workers
        workers.on_repaired = partial(self._probation.operation_ended, tried=False)
        workers.on_trouble = self._probation.report_trouble

    @property
    def permanent(self) -> str:
        """The release that the next boot starts."""
        return self._store.permanent

    @property
    def generation(self) -> int:
        """The number of changes so far that made earlier plans stale."""
        return self._changes + runtime().singleton(ChildSpecChangeCounter).changes

    def releases(self) -> tuple[ReleaseInfo, ...]:
        """Return the releases in the node's directory, in the order of staging. May be called in any thread."""
        return tuple(map(self._with_probation, self._store.infos(self.vsn)))

    def _with_probation(self, release: ReleaseInfo) -> ReleaseInfo:
        if release.vsn != self.vsn:
            return release
        now = self._probation
        return msgspec.structs.replace(
            release, probation_until=now.until, health=now.health, no_way_back=now.no_way_back
        )

    async def plan(self, vsn: str) -> Plan:
        """Return the plan to install `vsn`. Raises `Refused` for an unknown release, and while an operation runs."""
        entry = self._store.entry(vsn)
        if vsn == self.vsn:
            return no_plan(self.vsn, vsn, self.generation)
        self._check_free()
        try:
            await asyncio.to_thread(self._store.check, vsn)
            transition = self._transition(vsn)
        except Refused as refused:
            return refused_plan(refused, self._store, self.vsn, vsn, self.generation)
        plan = await make_plan(
            transition,
            self._code,
            self.generation,
            rollback_path=self._store.path(vsn, self.permanent),
            on_progress=self.rehearsals.callback(vsn),
        )
        plan = with_worker_warnings(plan, self.workers, transition.configuration.node.web.workers)
        return redact_struct(with_failure(plan, entry.failed))

    def operation(self, id: str | None = None) -> Operation:
        """Return the operation with this id or, without an id, the newest. Raises `Refused`."""
        return operation_checks.find_operation(self.operations(), id)

    def operations(self, limit: int = 100) -> tuple[Operation, ...]:
        """Return past operations and the running one, newest last. May be called in any thread."""
        running, past = self._running, self._history.operations
        if running is not None:
            past = [*(one for one in past if one.id != running.id), running.operation]
        return tuple(past[-limit:]) if limit > 0 else ()

    def subscribe(self, listener: Callable[[Operation], None]) -> Callable[[], None]:
        """Call `listener` at each phase of an operation and at its end. Return a function that removes the listener."""
        return self._listeners.subscribe(listener)

    def subscribe_health(self, listener: Callable[[str, Health], None]) -> Callable[[], None]:
        """Call `listener` at each change of health. Return a function that removes the listener."""
        return self._listeners.subscribe_health(listener)

    # ------------------------------------------------------------------ staging and removing

    def stage(self, tarball: Path, request: StageRequest = PLAIN_REQUEST) -> ReleaseInfo:
        """Verify and unpack a release. Blocks; may be called in any thread. Raises `Refused`."""
        return self._with_probation(self._store.info(self._store.stage(tarball, request), self.vsn))

    async def remove(self, vsn: str) -> None:
        """Remove a release and the files that only it needs. Raises `Refused` if it is in use."""
        self._store.entry(vsn)
        self._check_free()
        self.workers.check_together(self.vsn)
        operation_checks.check_remove(vsn, self._store, self.vsn)
        self._removed = vsn
        try:
            await asyncio.to_thread(self._store.remove, vsn, self.vsn, self.workers.booted())
        finally:
            self._removed = None
            self._probation.operation_ended(tried=False)

    # ------------------------------------------------------------------ operations

    def install(self, request: Install, who: str, claim: str = "") -> str:
        """Begin the install of a release and return the operation's id. Raises `Refused` if the install can't begin.

        An install with a temporary blocker begins, but aborts if the blocker does not pass in time.
        """
        self._check_free()  # first, because a release that is being removed may be gone already
        self._store.entry(request.vsn)
        if request.cold:
            return self.cold.install(request, self.vsn, who, claim)
        direction = operation_checks.check_install(request, self._store, self.vsn, self.generation)
        operation = new_operation("install", self.vsn, request.vsn, who, claim=claim, reason=request.reason)
        operation = msgspec.structs.replace(operation, plan_id=request.plan_id, direction=direction)
        return self._begin(operation, [request.vsn], request)

    def rollback(self, request: Rollback, who: str, claim: str = "") -> str:
        """Begin a rollback to the permanent release and return the operation's id. Raises `Refused`.

        If there is no direct path, the rollback also installs the releases in between, one after the other.
        """
        self._check_free()
        if self.cold.is_on_trial(self.vsn):
            return self.cold.roll_back(request, self.vsn, who, claim)
        path = operation_checks.rollback_path(self._store, self.vsn)
        operation = new_operation("revert", self.vsn, path[-1], who, claim=claim, reason=request.reason)
        return self._begin(operation, path, request)

    def abort(self, request: Abort, who: str, claim: str = "") -> str:
        """End the running operation before it changes the node; return its id. Raises `Refused` if that is too late."""
        running = operation_checks.check_abort(request, self._running)
        running.name_aborter(request.reason, who, claim)
        if self._task is not None and running.begun:  # else its first step ends it
            self._task.cancel()
        return running.id

    async def commit(self, request: Commit, who: str, claim: str = "") -> Operation:
        """Make the current release permanent, and purge old code that no process runs. Raises `Refused`."""
        self._check_free()
        if self.vsn == self.permanent:
            raise Refused(f"There is nothing to commit: release {self.vsn} is already permanent.")
        self.workers.check_together(self.vsn)
        self._running = progress = self._progress(
            new_operation("commit", self.permanent, self.vsn, who, claim=claim, reason=request.reason)
        )
        progress.enter("committing")
        try:
            await asyncio.to_thread(self._history.begin, progress.operation)
            await asyncio.to_thread(self._store.commit, self.vsn)
        except Refused as damaged:
            operation = progress.finish("aborted", error=damaged.sentence.rstrip("."))
        except Exception as error:
            logger.exception("commit %s failed", progress.id)
            sentence = f"The commit record could not be written, and nothing was committed: {describe_reason(error)}"
            operation = progress.finish("aborted", error=sentence)
            if self.permanent == self.vsn:
                sentence = f"The commit is recorded, but may not survive a power cut: {describe_reason(error)}"
                operation = progress.finish("committed", error=sentence)
        else:
            operation = progress.finish("committed")
        if operation.outcome == "committed":
            self._probation.end()
            self._changes += 1
            self.workers.committed()
            await drop_old_versions(self._code)
        await self._end(operation)
        if operation.outcome != "committed":
            raise Refused(f"{operation.error}.", operation=operation.id)
        return operation

    async def record_fallback(self, why: str) -> None:
        """Make the running release permanent, because the permanent release did not boot; `why` is the cause."""
        failed = self.permanent
        logger.critical("release %s is now permanent, because release %s did not boot: %s", self.vsn, failed, why)
        progress = self._progress(new_operation("fallback", failed, self.vsn, "parent"))
        try:
            await asyncio.to_thread(self._store.replace_permanent, failed, self.vsn, why)
        except OSError:  # the node serves nevertheless; the next boot tries again
            logger.exception("the new permanent release could not be recorded; the next boot tries again")
        await self._end(progress.finish("restarted", error=why))

    def _mark_lost(self, last: PreviousExit) -> None:
        """If the node itself caused its last exit, mark the release of the interrupted operation as failed."""
        lost = self._history.lost
        if lost is not None and last.own_fault and lost in self._store.record.releases:
            with suppress(OSError):
                self._store.mark_failed(lost, last.why)

    def record_halt(self, why: str) -> None:
        """Before the node exits for the reason `why`, mark a release on probation as failed."""
        if self.vsn != self.permanent:
            with suppress(OSError):
                self._store.mark_failed(self.vsn, why)

    async def stop(self) -> None:
        """Cancel the running operation when the node stops. The next boot records the operation as "restarted"."""
        self._probation.end()
        self.workers.stop()
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    # ------------------------------------------------------------------ running one operation

    def _begin(self, operation: Operation, path: list[str], request: Install | Rollback) -> str:
        return self._start(operation, partial(self._carry_out, path, request), abortable=True)

    def _start(self, operation: Operation, carry_out: CarryOut, *, abortable: bool = False) -> str:
        self._running = progress = self._progress(operation)
        progress.abortable = abortable
        self._task = runtime().loop.create_task(carry_out(progress))
        return progress.id

    def _progress(self, operation: Operation) -> OperationProgress:
        return OperationProgress(operation, self._listeners.report, self.on_phase)

    async def _carry_out(self, path: list[str], request: Install | Rollback, progress: OperationProgress) -> None:
        durable = asyncio.create_task(write_intent(self._history, progress.operation))
        progress.begun = True
        try:
            if progress.aborted is not None:
                raise asyncio.CancelledError
            operation = await self._install.run(progress, path, request, durable, self.approvals)
        except BaseException as error:
            if self._stopping:
                raise
            operation = operation_outcome.end_with_error(error, progress)
            if self._task is not None:
                self._task.uncancel()  # otherwise, the rest of the operation would count as cancelled
        progress.abortable = False
        await asyncio.gather(durable, return_exceptions=True)
        operation = operation_outcome.partly_reverted(operation, self.vsn, self._probation.until)
        await self._mark_failure(operation)
        await self._end(operation)
        if operation.outcome == "partly put back":
            runtime().call_later(HALT_DELAY_SECONDS, runtime().on_halt, operation.error)

    def _switched(self, transition: Transition) -> None:
        """Record that the target is current. Called in the turn of the event loop that resumes the processes."""
        self.vsn = transition.target.vsn
        self._changes += 1
        self.workers.announce(self.vsn)
        self._probation.end()
        if self.vsn != self.permanent:
            self._begin_probation(transition.configuration.node.probation)

    def _begin_probation(self, settings: ProbationSettings) -> None:
        self._probation.begin(settings)

    async def _mark_failure(self, operation: Operation) -> None:
        """Mark the release that failed in this operation, so that installing it again needs consent (--again)."""
        failed = operation_outcome.failed_release(operation, self.vsn, self.permanent)
        if failed is not None:
            try:
                await asyncio.to_thread(self._store.mark_failed, failed, str(operation.error or operation.reason))
            except Exception:  # whatever failed, the operation has to end
                logger.exception("the failure of release %s could not be recorded in the commit record", failed)

    async def _end(self, operation: Operation) -> None:
        try:
            await asyncio.to_thread(self._history.end, operation)
        except Exception:  # whatever failed, the operation has to end
            logger.exception(
                "operation %s could not be written to the history; it is kept in memory only", operation.id
            )
        self._running = self._task = None
        self.on_phase("")
        self._listeners.report(operation)
        self._probation.operation_ended(tried=operation.who == operation_outcome.PROBATION_REQUESTER)
        self._repair_workers()

    def _repair_workers(self) -> None:
        """Bring workers that booted another release to the current release, unless an operation runs."""
        if self._running is None and not self._stopping:
            self.workers.repair(self.vsn, operation_outcome.LEADER)

    # ------------------------------------------------------------------ probation

    def _revert(self, why: str) -> None:
        """Begin the revert, or try again when the running operation has ended."""
        if self._running is not None or self._removed is not None or self.workers.is_repairing:
            return
        if self.cold.is_on_trial(self.vsn):
            self._probation.restart(why)
            return
        logger.warning("reverting release %s, which is on probation, for this reason: %s", self.vsn, why)
        try:
            request = Rollback(wait=probation.REVERT_WAIT_SECONDS, reason=why, unrehearsed=True)
            self.rollback(request, operation_outcome.PROBATION_REQUESTER)
        except Refused as refused:
            self._probation.revert_refused(f"{why}, and the revert was refused: {refused.sentence}")

    def _restart(self, why: str) -> None:
        """Restart the node, because it can't revert."""
        if self._running is not None or self._removed is not None:
            return
        self._probation.end()
        self.record_halt(why)
        runtime().on_halt(
            f"release {self.vsn}, which is on probation, can only be reverted by a restart of the node; reason: {why}"
        )

    def _transition(self, vsn: str) -> Transition:
        return operation_checks.transition_to(vsn, self._store, self.vsn)

    def _check_free(self) -> None:
        operation_checks.check_free(None if self._running is None else self._running.operation, self._removed)
        if self.workers.is_repairing:
            raise Refused(f"Another worker is being brought to release {self.vsn}; try again in a moment.")

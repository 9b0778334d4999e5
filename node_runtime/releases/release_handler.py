"""The node's release handler: executes operators' requests, one operation at a time. Follows OTP's release_handler.

It runs on the event loop's thread. An operation belongs to the node and continues after its client has disconnected.
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
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import (
    Blocker,
    Commit,
    Health,
    Install,
    Operation,
    Plan,
    ProcessResult,
    ReleaseInfo,
    Rollback,
)

from . import operation_outcome, probation
from .install.installation import Installation, InstallListeners
from .operation_checks import check_free, check_install, check_remove, rollback_path, transition_to
from .operation_history import CLEAN_EXIT, OperationHistory, PreviousExit
from .operation_listeners import OperationListeners
from .operation_progress import OperationProgress, new_operation
from .plan import make_plan, no_plan
from .planning.transition import Transition
from .probation import Probation
from .rehearsal import RehearsalProgress
from .relup.translation import NoPath
from .store.release_store import ReleaseStore
from .store.verify import RESTAGE_REMEDY

logger = logging.getLogger("node_runtime")

HALT_DELAY_SECONDS = 0.5
"""Delay of a necessary restart, so that clients can receive the end of the operation."""


class ReleaseHandler:
    """The releases of the node in `root`, which was booted with release `vsn`.

    `vsn` is the running release, `permanent` the one that boots. `generation` counts the changes that make a plan
    stale: installs, commits, and changes of child specifications.
    """

    def __init__(self, root: Path, vsn: str, code: CodeServer, last: PreviousExit = CLEAN_EXIT) -> None:
        self.root = root
        self.vsn = vsn
        self._changes = 1
        self._code = code
        self._store = ReleaseStore(root)
        self._history = OperationHistory(root / "var" / "history", self.permanent, vsn, last)
        self._mark_lost(last)
        self.on_phase: Callable[[str], None] = lambda phase: None
        """Called with each phase of the running operation when it begins, and with "" when the operation ends."""
        self._running: OperationProgress | None = None
        self._removed: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._probation = Probation(self._revert, self._restart, self._store.bootable, self._health_changed)
        self.rehearsals = RehearsalProgress()
        self._listeners = OperationListeners()

    # ------------------------------------------------------------------ queries

    @property
    def permanent(self) -> str:
        """The release that boots."""
        return self._store.permanent

    @property
    def generation(self) -> int:
        """The number of changes to the node that make a plan stale."""
        return self._changes + runtime().singleton(ChildSpecChangeCounter).changes

    def releases(self) -> tuple[ReleaseInfo, ...]:
        """Return the releases in the node's directory, in the order of staging. May be called in any thread."""
        return tuple(map(self._with_probation, self._store.infos(self.vsn)))

    def _with_probation(self, release: ReleaseInfo) -> ReleaseInfo:
        if release.vsn != self.vsn:
            return release
        until, health = self._probation.until, self._probation.health
        return msgspec.structs.replace(release, probation_until=until, health=health)

    async def plan(self, vsn: str) -> Plan:
        """Return the plan to install `vsn`. Raises `Refused` for an unknown release, and while an operation runs."""
        entry = self._store.entry(vsn)
        if vsn == self.vsn:
            return no_plan(self.vsn, vsn, self.generation)
        self._check_free()
        try:
            await asyncio.to_thread(self._store.catalog.verify, vsn)
            transition = self._transition(vsn)
        except Refused as refused:
            reason, remedy = refused.sentence.rstrip("."), "correct the error and plan again"
            if isinstance(refused, NoPath):
                remedy = (
                    f"stage a release whose appup has such an entry; {self._store.describe_reachable(self.vsn, vsn)}"
                )
            elif reason.endswith(RESTAGE_REMEDY):
                reason, remedy = reason.removesuffix(f"; {RESTAGE_REMEDY}"), RESTAGE_REMEDY
            return no_plan(self.vsn, vsn, self.generation, Blocker(reason=reason, remedy=remedy))
        plan = await make_plan(
            transition,
            self._code,
            self.generation,
            can_roll_back=self._can_roll_back(vsn),
            on_progress=self.rehearsals.callback(vsn),
        )
        if entry.failed is not None:
            warning = f"{vsn} failed here before: {entry.failed.rstrip('.')}. Pass --again to retry it."
            plan = msgspec.structs.replace(plan, warnings=(warning, *plan.warnings))
        return plan

    def operation(self, id: str | None = None) -> Operation:
        """Return the operation of that id, or the newest one. Raises `Refused`."""
        known = self.operations()
        for operation in reversed(known):
            if id is None or operation.id == id:
                return operation
        raise Refused(f"There is no operation {id}." if id else "There has been no operation on this node yet.")

    def operations(self, limit: int = 100) -> tuple[Operation, ...]:
        """Return past operations and the running one, newest last. May be called in any thread."""
        running, past = self._running, self._history.operations
        if running is not None:
            past = [*(one for one in past if one.id != running.id), running.operation]
        return tuple(past[-limit:]) if limit > 0 else ()

    def subscribe(self, listener: Callable[[Operation], None]) -> Callable[[], None]:
        """Call `listener` on the event loop with an operation at each phase and at its end; return the unsubscriber."""
        return self._listeners.subscribe(listener)

    def subscribe_health(self, listener: Callable[[str, Health], None]) -> Callable[[], None]:
        """Call `listener` on the event loop at each change in the health of the release on probation.

        Return the unsubscriber.
        """
        return self._listeners.subscribe_health(listener)

    # ------------------------------------------------------------------ staging and removing

    def stage(self, tarball: Path) -> ReleaseInfo:
        """Verify and unpack a release. Blocks; may be called in any thread. Raises `Refused`."""
        return self._with_probation(self._store.info(self._store.stage(tarball), self.vsn))

    async def remove(self, vsn: str) -> None:
        """Remove a release and the files that only it needs. Raises `Refused` for the current and the permanent one."""
        self._store.entry(vsn)
        self._check_free()
        check_remove(vsn, self._store, self.vsn)
        self._removed = vsn
        try:
            await asyncio.to_thread(self._store.remove, vsn)
        finally:
            self._removed = None
            self._probation.operation_ended(tried=False)

    # ------------------------------------------------------------------ operations

    def install(self, request: Install, who: str) -> str:
        """Begin the install of a release; return the operation's id. Raises `Refused` for one that can't begin.

        A blocker that does not pass in time aborts the operation later.
        """
        self._store.entry(request.vsn)
        self._check_free()
        check_install(request, self._store, self.vsn, self.generation)
        operation = new_operation("install", self.vsn, request.vsn, who, reason=request.reason, plan_id=request.plan_id)
        return self._begin(operation, [request.vsn], request)

    def rollback(self, request: Rollback, who: str) -> str:
        """Begin a rollback to the permanent release; return the operation's id. Raises `Refused`.

        Without a direct path, the rollback installs the releases in between one after the other.
        """
        self._check_free()
        path = rollback_path(self._store, self.vsn)
        operation = new_operation("revert", self.vsn, path[-1], who, reason=request.reason)
        return self._begin(operation, path, request)

    async def commit(self, request: Commit, who: str) -> Operation:
        """Make the current release permanent, durably, and purge old code that no process runs. Raises `Refused`."""
        self._check_free()
        if self.vsn == self.permanent:
            raise Refused(f"There is nothing to commit: {self.vsn} is already permanent.")
        self._running = progress = self._progress(
            new_operation("commit", self.permanent, self.vsn, who, reason=request.reason)
        )
        progress.enter("committing")
        try:
            await asyncio.to_thread(self._history.begin, progress.operation)
            await asyncio.to_thread(self._store.commit, self.vsn)
        except Refused as damaged:
            operation = progress.finish("aborted", error=damaged.sentence.rstrip("."))
        except Exception as error:
            logger.exception("commit %s failed", progress.id)
            sentence = f"The commit record could not be written: {describe_reason(error)}"
            operation = progress.finish("aborted", error=sentence)
            if self.permanent == self.vsn:
                sentence = f"The commit record was written, but may not survive a power cut: {describe_reason(error)}"
                operation = progress.finish("committed", error=sentence)
        else:
            operation = progress.finish("committed")
        if operation.outcome == "committed":
            self._probation.end()
            self._changes += 1
            await asyncio.to_thread(self._code.sweep)
        await self._end(operation)
        if operation.outcome != "committed":
            raise Refused(f"{operation.error}.", operation=operation.id)
        return operation

    async def record_fallback(self, why: str) -> None:
        """Make this release permanent: it booted because the permanent one did not, for the reason `why`."""
        failed = self.permanent
        logger.critical("%s is now permanent: %s", self.vsn, why)
        progress = self._progress(new_operation("fallback", failed, self.vsn, "parent"))
        try:
            await asyncio.to_thread(self._store.replace_permanent, failed, self.vsn, why)
        except OSError:  # the node serves nevertheless; the next boot records it
            logger.exception("the commit record could not be written")
        await self._end(progress.finish("restarted", error=why))

    def _mark_lost(self, last: PreviousExit) -> None:
        """Mark the release that was on probation or being installed as failed, if the node ended by its own fault."""
        lost = self._history.lost
        if lost is not None and last.own_fault and lost in self._store.record.releases:
            with suppress(OSError):
                self._store.mark_failed(lost, last.why)

    def record_halt(self, why: str) -> None:
        """Mark a release on probation as failed: the node is about to end because of `why`."""
        if self.vsn != self.permanent:
            with suppress(OSError):
                self._store.mark_failed(self.vsn, why)

    async def stop(self) -> None:
        """Cancel the running operation, because the node stops; the next boot reports it as interrupted."""
        self._probation.end()
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    # ------------------------------------------------------------------ running one operation

    def _begin(self, operation: Operation, path: list[str], request: Install | Rollback) -> str:
        self._running = progress = self._progress(operation)
        self._task = runtime().loop.create_task(self._carry_out(progress, path, request))
        return progress.id

    def _progress(self, operation: Operation) -> OperationProgress:
        return OperationProgress(operation, self._listeners.report, self.on_phase)

    async def _carry_out(self, progress: OperationProgress, path: list[str], request: Install | Rollback) -> None:
        durable = asyncio.create_task(self._write_intent(progress.operation))
        try:
            operation = await self._install_along(progress, path, request, durable)
        except BaseException as error:
            if self._stopping:
                raise
            operation = operation_outcome.end_with_error(error, progress)
        await asyncio.gather(durable, return_exceptions=True)
        operation = operation_outcome.partly_reverted(operation, self.vsn, self._probation.until)
        await self._mark_failure(operation)
        await self._end(operation)
        if operation.outcome == "partly put back":
            runtime().call_later(HALT_DELAY_SECONDS, runtime().on_halt, operation.error)

    async def _install_along(
        self, progress: OperationProgress, path: list[str], request: Install | Rollback, durable: asyncio.Task[None]
    ) -> Operation:
        """Install the releases of `path`, one after the other.

        The task `durable` writes the intent while new code is prepared, before anything is changed.
        """
        pause, touched = 0.0, 0
        results: tuple[ProcessResult, ...] = ()
        for vsn in path:
            transition = self._transition(vsn)
            await asyncio.to_thread(self._store.catalog.verify, vsn)
            installed = await Installation(
                transition,
                self._code,
                progress=progress,
                options=request,
                durable=durable,
                listeners=InstallListeners(self.rehearsals.callback(vsn), partial(self._switched, transition)),
            ).run()
            pause, touched = pause + installed.pause, touched + installed.touched
            results = (*results, *installed.results)
        return progress.finish(
            "installed" if progress.operation.kind == "install" else "reverted",
            pause=pause,
            probation_until=self._probation.until,
            results=results,
            touched=touched,
        )

    def _switched(self, transition: Transition) -> None:
        """Record that the target of a transition is current; called in the turn of the switch."""
        self.vsn = transition.target.vsn
        self._changes += 1
        self._probation.end()
        if self.vsn != self.permanent:
            self._probation.begin(transition.configuration.node.probation)

    async def _write_intent(self, operation: Operation) -> None:
        """Write the intent durably. Raises `Refused` if the disk fails, except for a revert, which needs no disk."""
        try:
            await asyncio.to_thread(self._history.begin, operation)
        except OSError as error:
            if operation.kind != "revert":
                raise Refused(
                    f"The intent of the operation could not be written: {error}; free disk space first."
                ) from None
            logger.exception("the intent of operation %s could not be written", operation.id)

    async def _mark_failure(self, operation: Operation) -> None:
        """Mark the release that failed, so that another install of it needs consent (--again)."""
        failed = operation_outcome.failed_release(operation, self.vsn, self.permanent)
        if failed is not None:
            try:
                await asyncio.to_thread(self._store.mark_failed, failed, str(operation.error or operation.reason))
            except OSError:
                logger.exception("the commit record could not be written")

    async def _end(self, operation: Operation) -> None:
        try:
            await asyncio.to_thread(self._history.end, operation)
        except OSError:
            logger.exception("the history of operations could not be written")
        self._running = self._task = None
        self.on_phase("")
        self._listeners.report(operation)
        self._probation.operation_ended(tried=operation.who == operation_outcome.PROBATION_REQUESTER)

    # ------------------------------------------------------------------ probation

    def _revert(self, why: str) -> None:
        """Begin the revert; while another operation runs, it begins when that one has ended."""
        if self._running is not None or self._removed is not None:
            return
        logger.warning("reverting %s, which is on probation: %s", self.vsn, why)
        try:
            request = Rollback(wait=probation.REVERT_WAIT_SECONDS, reason=why, unrehearsed=True)
            self.rollback(request, operation_outcome.PROBATION_REQUESTER)
        except Refused as refused:
            self._probation.restart(f"{why}, and it can't be reverted: {refused.sentence}")

    def _health_changed(self, health: Health) -> None:
        self._listeners.report_health(self.vsn, health)

    def _restart(self, why: str) -> None:
        """Restart the node, because it can't revert."""
        if self._running is not None or self._removed is not None:
            return
        self._probation.end()
        self.record_halt(why)
        runtime().on_halt(f"{self.vsn} is on probation and needs a restart of the node to revert: {why}")

    # ------------------------------------------------------------------ helpers

    def _transition(self, vsn: str) -> Transition:
        return transition_to(vsn, self._store, self.vsn)

    def _can_roll_back(self, vsn: str) -> bool:
        """Return whether a rollback from `vsn` has a path."""
        return vsn == self.permanent or self._store.path(vsn, self.permanent) is not None

    def _check_free(self) -> None:
        check_free(None if self._running is None else self._running.operation, self._removed)

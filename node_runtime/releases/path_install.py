"""The main part of an install or a rollback: worker 1 installs a path of releases, and the other workers follow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from node_runtime.code import CodeServer
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Install, Operation, ProcessResult, Rollback

from . import probation
from .approvals import Approvals
from .install.endings import Aborted, PutBack
from .install.installation import Installation, InstallListeners
from .operation_checks import transition_to
from .operation_progress import OperationProgress
from .planning.transition import Transition
from .probation import Probation
from .rehearsal import RehearsalProgress
from .store.release_store import ReleaseStore
from .workers import LedWorkers


@dataclass(slots=True)
class Effects:
    """What all installs of an operation together did to the processes of this worker."""

    pause: float = 0.0
    touched: int = 0
    results: tuple[ProcessResult, ...] = ()


class PathInstall:
    """Installs a list of releases, one after the other, on the live node.

    `current()` returns the running release. `switched(transition)` is called when the running release changes.
    """

    def __init__(
        self,
        store: ReleaseStore,
        code: CodeServer,
        rehearsals: RehearsalProgress,
        probation: Probation,
        current: Callable[[], str],
        switched: Callable[[Transition], None],
    ) -> None:
        self.workers = LedWorkers()
        self._store = store
        self._code = code
        self._rehearsals = rehearsals
        self._probation = probation
        self._current = current
        self._switched = switched

    async def run(
        self,
        progress: OperationProgress,
        path: list[str],
        request: Install | Rollback,
        durable: asyncio.Task[None],
        approvals: Approvals,
    ) -> Operation:
        """Install the releases of `path`, then install the last one in the other workers; return the ended operation.

        The task `durable` writes the operation's intent to the disk while the new code is prepared. Nothing on the node
        is changed before this task has ended. If another worker fails in an install, all workers return to the release
        that ran before the operation.
        """
        before, effects = self._current(), Effects()
        check = partial(self._check_admitted, request, approvals, progress.operation.by)
        await self._go_along(path, progress, request, durable, effects, check)
        progress.abortable = False
        reverts = progress.operation.kind == "revert"
        failure = await self.workers.follow(progress, self._current(), request, self._bad_health, forgive=reverts)
        if failure and not reverts:
            lost = await self._go_back(before, failure, progress, durable, effects)
            failure = f"{failure.rstrip('.')}; {lost}" if lost else failure
        elif self.workers.count > 1:
            self._probation.restart_deadline()
        return progress.finish(
            "reverted" if failure or reverts else "installed",
            error=failure or None,
            pause=effects.pause,
            probation_until=self._probation.until,
            results=effects.results,
            touched=effects.touched,
        )

    async def _go_along(
        self,
        path: list[str],
        progress: OperationProgress,
        request: Install | Rollback,
        durable: asyncio.Task[None],
        effects: Effects,
        check_admitted: Callable[[], None] = lambda: None,
    ) -> None:
        for vsn in path:
            transition = transition_to(vsn, self._store, self._current())
            await asyncio.to_thread(self._store.catalog.verify, vsn)
            installed = await Installation(
                transition,
                self._code,
                progress=progress,
                options=request,
                durable=durable,
                listeners=InstallListeners(
                    self._rehearsals.callback(vsn), check_admitted, partial(self._switched, transition)
                ),
            ).run()
            effects.pause, effects.touched = effects.pause + installed.pause, effects.touched + installed.touched
            effects.results = (*effects.results, *installed.results)
            self._probation.report_way_back(
                probation.missing_way_back(
                    vsn, self._store.permanent, transition.left.vsn, self._store, progress.operation
                )
            )

    def _check_admitted(self, request: Install | Rollback, approvals: Approvals, person: str) -> None:
        """Raise `Aborted` if the install is not trusted or not approved any more. A way back needs neither."""
        if isinstance(request, Install):
            try:
                if not self._store.entry(request.vsn).was_committed:
                    self._store.check_trusted(request.vsn)
                approvals.check(request, person)
            except Refused as refused:
                raise Aborted(refused.sentence) from refused

    async def _go_back(
        self,
        vsn: str,
        failure: str,
        progress: OperationProgress,
        durable: asyncio.Task[None],
        effects: Effects,
    ) -> str:
        """Bring worker 1, and the workers that have followed it, back to release `vsn`, because another worker failed.

        `failure` says how that worker failed. The result is a clause that names the workers that have lost their
        states, or "". Raises `PutBack` if worker 1 can't go back; then the node restarts.
        """
        request = Rollback(wait=probation.REVERT_WAIT_SECONDS, reason=failure, unrehearsed=True)
        try:
            path = self._store.path(self._current(), vsn) or [vsn]
            await self._go_along(path, progress, request, durable, effects)
        except (Aborted, PutBack, Refused) as error:
            why = error.sentence if isinstance(error, Refused) else str(error)
            unfinished = f"worker 1, which can't go back to release {vsn}: {why.rstrip('.')}"
            raise PutBack(failure, effects.pause, effects.results, effects.touched, unfinished) from error
        progress.abortable = False
        return await self.workers.follow(progress, vsn, request, forgive=True)

    def _bad_health(self) -> str:
        health = self._probation.health
        return f"worker 1: {health.finding}" if health is not None and health.verdict == "bad" else ""

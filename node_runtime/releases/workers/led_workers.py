"""Brings the other workers to the release of worker 1: orders one after the other to install this release.

Worker 1 changes first. Then it orders each other worker to follow. That worker prepares, rehearses and installs the
release by itself, on its own states. Only worker 1 gives orders. If worker 1 ends during a change, its successor brings
all workers to one release.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from node_runtime.processes.runtime import runtime
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Install, Rollback, WorkerInfo
from node_runtime.releases.operation_progress import OperationProgress

from .messages import VERSION, At, Bad, Committed, Done, Go, Greeting, WorkerEnded, WorkerMessage
from .place import WorkerPlace

FOLLOWER_WAIT_SECONDS: Final = 60.0
"""Seconds that a worker waits for temporary blockers in a repair, or if the request sets no limit."""

logger: Final = logging.getLogger("node_runtime")


@dataclass(slots=True)
class LedWorker:
    """A worker other than worker 1. `vsn` is the release that it runs; "" while it is down, for the reason `why`.

    `booted` is the release that its process has booted. `failed_boots` counts the ends of this worker before it was
    ready, since worker 1 got its present release.
    """

    number: int
    vsn: str = ""
    os_pid: int | None = None
    booted: str = ""
    failed_boots: int = 0
    why: str = ""
    order: Go | None = None
    answer: asyncio.Future[str] | None = None


class ParentRequests(msgspec.Struct, frozen=True):
    """The requests of worker 1 to the parent.

    `send(number, message)` passes a message to a worker, and `restart(number)` restarts a worker. `announce(vsn)`
    informs the parent which release worker 1 runs: workers that start later boot this release.
    """

    send: Callable[[int, WorkerMessage], None]
    restart: Callable[[int], None]
    announce: Callable[[str], None]


NO_REQUESTS: Final = ParentRequests(lambda number, message: None, lambda number: None, lambda vsn: None)


class LedWorkers:
    """Workers 2 to `count` of the node.

    `on_changed()` is called when a worker has started or has changed its release, and `on_repaired()` when a repair has
    ended. `on_trouble(why)` is called when a worker has ended unexpectedly, or the health of its release is bad.
    `on_event(text)` gets the texts of events for clients. Call all methods except `infos` on the event loop.
    """

    def __init__(self, count: int = 1, requests: ParentRequests = NO_REQUESTS) -> None:
        self.count = count
        self._current = ""
        self.on_changed: Callable[[], None] = lambda: None
        self.on_repaired: Callable[[], None] = lambda: None
        self.on_trouble: Callable[[str], None] = lambda why: None
        self.on_event: Callable[[str], None] = lambda text: None
        self._requests = requests
        self._workers = {number: LedWorker(number) for number in range(2, count + 1)}
        self._repair: asyncio.Task[None] | None = None

    def announce(self, vsn: str) -> None:
        """Tell the parent which release worker 1 runs from now on."""
        self._current = vsn
        for one in self._workers.values():
            one.failed_boots = 0
        self._requests.announce(vsn)

    def booted(self) -> set[str]:
        """Return the releases that the processes of the other workers have booted. They may still use files of these
        releases.
        """
        return {one.booted for one in self._workers.values() if one.booted}

    def infos(self, node: str, vsn: str, os_pid: int) -> tuple[WorkerInfo, ...]:
        """Return what operators see of all workers of the node; empty if there is only one.

        `vsn` and `os_pid` are worker 1's.
        """
        if self.count == 1:
            return ()
        first = WorkerInfo(number=1, name=node, vsn=vsn, os_pid=os_pid)
        others = (
            WorkerInfo(
                number=one.number,
                name=WorkerPlace(one.number).node_name(node),
                vsn=one.vsn,
                os_pid=one.os_pid,
                down=one.why,
            )
            for one in self._workers.values()
        )
        return (first, *others)

    def greet(self) -> None:
        """Ask all other workers for their release and OS pid; called when worker 1 is ready."""
        for number in self._workers:
            self._requests.send(number, Greeting())

    def check_together(self, vsn: str) -> None:
        """Raise `Refused` if a worker runs another release than worker 1's `vsn`, or is changing its release."""
        for one in self._workers.values():
            if one.vsn and (one.vsn != vsn or one.order is not None):
                raise Refused(
                    f"Worker {one.number} still runs release {one.vsn}, and worker 1 runs release {vsn}; try again in "
                    f"a moment."
                )

    @property
    def is_repairing(self) -> bool:
        """Whether a worker is being brought to the release of worker 1 outside of an operation."""
        return self._repair is not None

    # ------------------------------------------------------------------ orders

    async def follow(
        self,
        progress: OperationProgress,
        vsn: str,
        request: Install | Rollback,
        trouble: Callable[[], str] = lambda: "",
        *,
        forgive: bool = False,
    ) -> str:
        """Bring the workers to release `vsn`, one after the other; return why that failed, or "".

        If a worker fails, the remaining workers keep their release. Before each worker, `trouble()` is called; if it
        returns a problem of worker 1 (not ""), the remaining workers keep their release, too. `forgive` is for a return
        to an earlier release. Then `trouble` is not called, a worker that fails is restarted, and the remaining workers
        follow. The result names the workers that have lost their states.
        """
        lost = []
        for one in self._workers.values():
            if not one.vsn or one.vsn == vsn:
                continue
            if not forgive and (why := trouble()):
                return why
            progress.enter(f"worker {one.number}")
            progress.report()
            wait = request.wait if math.isfinite(request.wait) else FOLLOWER_WAIT_SECONDS
            order = Go(
                id=f"{progress.id}.{one.number}",
                vsn=vsn,
                who=progress.operation.who,
                reason=request.reason,
                wait=wait,
                unrehearsed=request.unrehearsed,
            )
            why = await self._bring(one, order)
            if why and not forgive:
                return f"worker {one.number}: {why}"
            if why:
                lost.append(f"worker {one.number} lost its states: {why}")
                self._restart(one, why, vsn)
        return "; ".join(lost)

    def repair(self, vsn: str, who: str) -> None:
        """Bring the workers that don't run `vsn`, worker 1's release, to this release. A worker that fails is
        restarted.
        """
        if self._repair is None and any(one.vsn not in ("", vsn) for one in self._workers.values()):
            self._repair = runtime().loop.create_task(self._repair_all(vsn, who))

    async def _repair_all(self, vsn: str, who: str) -> None:
        try:
            for one in self._workers.values():
                if one.vsn in ("", vsn):
                    continue
                logger.warning("worker %s runs release %s; bringing it to release %s", one.number, one.vsn, vsn)
                id = f"repair-{vsn}.{one.number}"
                order = Go(id=id, vsn=vsn, who=who, reason="worker 1 runs this release", wait=FOLLOWER_WAIT_SECONDS)
                if why := await self._bring(one, order):
                    self._restart(one, why, vsn)
        finally:
            self._repair = None
        self.on_changed()
        self.on_repaired()

    async def _bring(self, one: LedWorker, order: Go) -> str:
        """Send an order to a worker; return why the worker failed, or "". A worker that ends has failed, too."""
        one.order, one.answer = order, runtime().loop.create_future()
        self._requests.send(one.number, order)
        try:
            return await one.answer
        finally:
            one.order = one.answer = None

    def _restart(self, one: LedWorker, why: str, vsn: str) -> None:
        """Restart a worker that could not change to `vsn`. If the worker has ended, the parent restarts it anyway."""
        if one.vsn in ("", vsn):
            return
        logger.error("restarting worker %s, which loses its states: %s", one.number, why)
        one.vsn, one.why = "", f"It is being restarted, because it could not change its release: {why}"
        self._requests.restart(one.number)

    def committed(self) -> None:
        """Notify the workers that their release is permanent."""
        for number in self._workers:
            self._requests.send(number, Committed())

    def stop(self) -> None:
        """End a repair, because worker 1 stops."""
        if self._repair is not None:
            self._repair.cancel()

    # ------------------------------------------------------------------ messages

    def receive(self, number: int, message: WorkerMessage) -> None:
        """Handle a message from worker `number`, or from the parent about this worker."""
        one = self._workers.get(number)
        if one is None:
            return
        match message:
            case At(version=version) if version != VERSION:
                self._restart_stranger(one, version)
            case At(vsn, os_pid, booted):
                if (vsn, os_pid) != (one.vsn, one.os_pid):
                    self.on_event(f"worker {number} runs release {vsn} as process {os_pid}")
                one.vsn, one.os_pid, one.booted, one.why, one.failed_boots = vsn, os_pid, booted, "", 0
                self.on_changed()
            case Done(id, vsn, error) if one.order is not None and one.order.id == id:
                one.vsn = vsn
                self._answer(one, error)
            case Bad(why):
                self.on_trouble(f"worker {number}: {why}")
            case WorkerEnded(why):
                self._ended(one, why)
            case _:
                logger.warning("worker %s sent an unexpected %s", number, type(message).__name__)

    def _ended(self, one: LedWorker, why: str) -> None:
        """Note the end of a worker; report trouble if worker 1's present release may be the cause.

        A worker that ends before it is ready may have booted the previous release, so only the second such end counts.
        """
        ran, ordered = one.vsn, one.order is not None
        one.failed_boots += not ran
        one.vsn, one.os_pid, one.booted, one.why = "", None, "", why or one.why
        self._answer(one, why or "it was restarted.")
        if not why:
            return
        self.on_event(f"worker {one.number} ended: {why}")
        is_of_another = ran != self._current if ran else one.failed_boots == 1
        if ordered or not is_of_another or not self._current:
            self.on_trouble(f"worker {one.number} ended: {why}")

    def _restart_stranger(self, one: LedWorker, version: int) -> None:
        """Restart a worker in worker 1's release, because its node_runtime sends messages of another `version`."""
        why = (
            f"its node_runtime sends messages of version {version}, and that of worker 1 understands version {VERSION}"
        )
        logger.error("restarting worker %s, which loses its states: %s", one.number, why)
        one.vsn, one.why = "", f"It is restarted: {why}"
        self._requests.restart(one.number)

    def _answer(self, one: LedWorker, error: str) -> None:
        if one.answer is not None and not one.answer.done():
            one.answer.set_result(error)

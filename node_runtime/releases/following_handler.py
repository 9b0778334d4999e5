"""The release handler of each worker except worker 1. Only an order of worker 1 makes it change the release."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from node_runtime.code import CodeServer
from node_runtime.processes.exit_reasons import describe_reason
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Operation, Rollback

from .files.config import read_configuration
from .files.schemas import ProbationSettings
from .operation_history import PreviousExit
from .operation_progress import OperationKind, new_operation
from .planning.old_versions import drop_old_versions
from .release_handler import ReleaseHandler
from .workers import At, Bad, Committed, Done, Go, Greeting, WorkerMessage, WorkerPlace
from .workers.reading_store import ReadingStore

logger: Final = logging.getLogger("node_runtime")


class FollowingReleaseHandler(ReleaseHandler):
    """Installs the releases that worker 1 orders. Operators' requests that change releases go to worker 1 only.

    `send` sends a message to worker 1. This worker monitors the health of a release on probation and reports bad health
    to worker 1. Worker 1 decides whether the node reverts, and applies the deadline of the probation.
    """

    def __init__(
        self,
        root: Path,
        vsn: str,
        code: CodeServer,
        last: PreviousExit,
        place: WorkerPlace,
        send: Callable[[WorkerMessage], None],
    ) -> None:
        super().__init__(root, vsn, code, last, place)
        self._send = send
        self._number = place.number
        self._booted = vsn
        self._order: Go | None = None
        self._next: Go | None = None
        self._dropping: asyncio.Task[None] | None = None
        self.subscribe(self._operation_changed)

    def ready(self) -> None:
        """Report this worker's release to worker 1, and monitor a release on probation. Called after the boot."""
        if self.vsn != self.permanent:
            self._begin_probation(read_configuration(self.root, self.vsn).node.probation)
        self._send(At(self.vsn, os.getpid(), self._booted))

    def receive(self, message: WorkerMessage) -> None:
        """Handle a message from worker 1.

        While an order is carried out, further orders wait. Afterwards, only the newest of them is carried out.
        """
        match message:
            case Greeting():
                self._send(At(self.vsn, os.getpid(), self._booted))
                self._note_commit()  # worker 1 may have ended after its commit, before it sent `Committed`
            case Committed():
                self._note_commit()
            case Go():
                self._next = message
                self._begin_next()

    def _note_commit(self) -> None:
        """End the probation if the present release has become permanent."""
        try:
            self._read_again(self.vsn)
        except Refused as refused:
            logger.error("worker %s can't read the commit record: %s", self._number, refused.sentence)
            return
        if self.permanent == self.vsn and self._probation.health is not None:
            self._probation.end()
            self._changes += 1
            self._dropping = runtime().loop.create_task(drop_old_versions(self._code))

    def _begin_next(self) -> None:
        if self._running is not None or (order := self._next) is None:
            return
        self._next = None
        try:
            self._read_again(order.vsn)
            if order.vsn == self.vsn:
                self._send(Done(order.id, self.vsn))
                return
            path = self._store.path(self.vsn, order.vsn) or [order.vsn]
            kind: OperationKind = "revert" if order.vsn == self.permanent else "install"
            operation = new_operation(kind, self.vsn, order.vsn, order.who, reason=order.reason)
            request = Rollback(wait=order.wait, reason=order.reason, unrehearsed=order.unrehearsed)
            self._order = order
            self._begin(msgspec.structs.replace(operation, id=order.id), path, request)
        except Refused as refused:
            self._order = None
            self._send(Done(order.id, self.vsn, refused.sentence))
        except Exception as error:  # whatever failed, worker 1 waits for the answer
            logger.exception("the order %s could not be begun", order.id)
            self._order = None
            self._send(Done(order.id, self.vsn, describe_reason(error)))

    def _read_again(self, vsn: str) -> None:
        assert isinstance(self._store, ReadingStore)
        self._store.read_again(vsn)

    def _operation_changed(self, operation: Operation) -> None:
        order = self._order
        if order is None or operation.id != order.id or operation.ended is None:
            return
        self._order = None
        error = (
            "" if self.vsn == order.vsn else operation.error or f"the outcome of its operation was: {operation.outcome}"
        )
        # Before `Done`, because worker 1 may restart this process after `Done`.
        self._send(At(self.vsn, os.getpid(), self._booted))
        self._send(Done(order.id, self.vsn, error))
        self._begin_next()

    # ------------------------------------------------------------------ the probation, which worker 1 ends

    def _begin_probation(self, settings: ProbationSettings) -> None:
        super()._begin_probation(msgspec.structs.replace(settings, deadline=0))

    def _revert(self, why: str) -> None:
        self._send(Bad(why))

"""The handlers of the methods about old versions of modules, and about tasks that no process owns."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, Protocol

from msgspec.structs import replace

from node_runtime.code import CodeServer
from node_runtime.code import current as current_code_server
from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.protocol import messages as m
from node_runtime.protocol.clip import MAX_SHOWN_NAME, clip
from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.planning.participants import participants

if TYPE_CHECKING:
    from collections.abc import Callable

    from node_runtime.control.dispatch import Caller

MIN_KEPT_SECONDS: Final = 2.0
KEPT_FACTOR: Final = 20
"""An answer for viewers is kept this many times as long as it took to make, so that making answers takes at most 5 % of
the time.
"""
CHANGING_PHASES: Final = ("holding", "loading", "migrating", "resuming")
"""The phases of an operation in which nothing is purged."""


class Operations(Protocol):
    """The node's operations, newest last."""

    def operations(self, limit: int) -> tuple[m.Operation, ...]: ...


class OldCodeHandlers:
    """The handlers of one node, whose boot id is `boot_id`. `emit(text)` publishes an event about releases."""

    def __init__(self, name: str, boot_id: str, operations: Operations, emit: Callable[[str], None]) -> None:
        self._name = name
        self._boot_id = boot_id
        self._operations = operations
        self._emit = emit
        self._kept = m.OldCodeList(modules=())
        self._kept_until = 0.0

    @property
    def _code(self) -> CodeServer:
        return current_code_server()

    def old_code(self, caller: Caller, request: m.Empty) -> m.OldCodeList:
        """Return the old versions and what keeps them. Called in a worker thread.

        Viewers may get an answer that is a few seconds old.
        """
        began = time.monotonic()
        if caller.role == "viewer" and began < self._kept_until:
            return self._kept
        self._kept = m.OldCodeList(modules=tuple(map(_shown, map(_counted, self._code.old_code()))))
        ended = time.monotonic()
        self._kept_until = ended + max(MIN_KEPT_SECONDS, KEPT_FACTOR * (ended - began))
        return self._kept

    def stray_tasks(self, caller: Caller, request: m.Empty) -> m.TaskList:
        tasks = self._code.stray_tasks()
        return m.TaskList(tasks=tuple(replace(one, name=shown(one.name), title=shown(one.title)) for one in tasks))

    async def purge(self, caller: Caller, request: m.PurgeModule) -> m.Purged:
        self._check(request.boot_id)
        self._check_unchanging()

        async def holders() -> tuple[m.OldCodeHolder, ...]:
            found = await asyncio.to_thread(self._code.holders, request.module)
            self._check_unchanging()
            return found

        closed = await participants().close(holders)
        purged = await self._code.end_old_code(request.module, self._check_unchanging)
        if purged is None:
            known = clip(request.module, MAX_SHOWN_NAME)
            raise Refused(f"{known} has no old version; 'hotdash modules {self._name}' lists the modules.")
        self._kept_until = 0.0
        self._emit(f"{caller.name} purged the old version of {purged.module}")
        return replace(
            purged,
            killed=tuple(map(shown, purged.killed)),
            cancelled=tuple(map(shown, purged.cancelled)),
            left=tuple(map(_shown_holder, participants().counted(purged.left))),
            cleared=tuple(map(shown, purged.cleared)),
            closed=tuple(map(shown, (*closed, *purged.closed))),
        )

    def kill_task(self, caller: Caller, request: m.TaskTarget) -> m.TaskList:
        self._check(request.boot_id)
        cancelled = self._code.cancel_tasks(request.name)
        if not cancelled:
            raise Refused(
                f"{self._name} has no task {clip(request.name, MAX_SHOWN_NAME)}, or a process owns this task; "
                f"list the tasks again."
            )
        return m.TaskList(tasks=tuple(m.TaskInfo(name=request.name, title=shown(one)) for one in cancelled))

    def _check_unchanging(self) -> None:
        running = self._operations.operations(1)
        if running and running[-1].outcome is None and running[-1].phase in CHANGING_PHASES:
            raise Refused(f"Operation {running[-1].id} is changing the node; wait until it has ended.")

    def _check(self, boot_id: str) -> None:
        if boot_id != self._boot_id:
            raise Refused(f"{self._name} was restarted after its modules were listed; list them again.")


def _counted(old: m.OldCode) -> m.OldCode:
    return replace(old, holders=participants().counted(old.holders))


def _shown(old: m.OldCode) -> m.OldCode:
    return replace(old, holders=tuple(map(_shown_holder, old.holders)))


def _shown_holder(holder: m.OldCodeHolder) -> m.OldCodeHolder:
    task = None if holder.task is None else shown(holder.task)
    return replace(holder, name=shown(holder.name), does=shown(holder.does), task=task)

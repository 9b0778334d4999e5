"""Makes the calls of a script: for `apply` and its undo, and for `stop`, `start` and `restart_child`."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from node_runtime.behaviours.code_references import resolve_in_versions
from node_runtime.behaviours.upgrade.live_processes import Child, ChildTable, SupervisorProcess, end_at_once
from node_runtime.processes.errors import NoProcess, is_being_cancelled
from node_runtime.processes.exit_reasons import describe_reason
from node_runtime.processes.pid import Pid
from node_runtime.processes.runtime import runtime
from node_runtime.processes.transaction import Transaction
from node_runtime.releases.files.relup_instructions import Apply, RestartChild
from node_runtime.supervisor import ChildRefused, restart_child, start_child, terminate_child

from .running_children import running_children

logger = logging.getLogger("node_runtime")


class ScriptCalls:
    """The calls that one run of a script makes.

    Before each call that may wait, `before_waiting` is called, because other code runs during a wait.
    """

    def __init__(self, transaction: Transaction, seconds: float, before_waiting: Callable[[], None]) -> None:
        self._transaction = transaction
        self._seconds = seconds
        self._before_waiting = before_waiting
        self.undoable: list[str] = []
        """The functions that were applied and that have an effect that is undone if the script fails."""
        self._undos: list[tuple[str, Callable[..., Any], tuple[Any, ...]]] = []
        self._stopped: list[tuple[Pid, Child, frozenset[str]]] = []
        self._ended_children: list[tuple[Pid, str]] = []

    async def apply(self, step: Apply) -> None:
        """Call a function. Raises what the function raises, or TimeoutError after the time limit."""
        function, undo = self._function(step.function), self._function(step.undo) if step.undo else None
        changes = len(self._transaction.undo_actions)
        await self._call(function, step.args)
        if step.undo and undo is not None:
            self._undos.append((step.undo, undo, step.args))
        if step.undo or len(self._transaction.undo_actions) > changes:
            self.undoable.append(step.function)

    def _function(self, reference: str) -> Callable[..., Any]:
        """Return a function: until the script loads its module, in the old version; then in the new version."""
        found: Callable[..., Any] = resolve_in_versions(reference, self._transaction.previous_namespaces)
        return found

    async def _call(self, function: Callable[..., Any], args: Sequence[Any]) -> None:
        result = function(*args)
        if inspect.isawaitable(result):
            self._before_waiting()
            await self._in_time(result, "the function has not ended")

    async def _in_time(self, call: Awaitable[object], clause: str) -> None:
        try:
            async with asyncio.timeout(self._seconds) as limit:
                await call
        except TimeoutError as error:
            if not limit.expired():
                raise
            # A call that is cancelled can add a note to its CancelledError, which says what the call has waited for.
            cancelled = error.__cause__ or error.__context__  # older patch releases of Python 3.11 set no cause
            notes = getattr(cancelled, "__notes__", ())
            raise TimeoutError("; ".join((f"{clause} within {self._seconds:g} s", *notes))) from None

    async def stop(self, modules: Sequence[str]) -> None:
        """Terminate every child that runs one of the modules. Follows the `stop` of OTP's release_handler."""
        self._before_waiting()
        for supervisor, child, ran in reversed(list(running_children(modules))):
            await terminate_child(supervisor, child.spec.id if child.args is None else child.pid or Pid(0))
            self._stopped.append((supervisor, child, ran))

    async def start(self, modules: Sequence[str]) -> None:
        """Restart the stopped children of the modules, except temporary children.

        Children of a simple_one_for_one supervisor are started with their old arguments.
        """
        self._before_waiting()
        due = [stopped for stopped in reversed(self._stopped) if not stopped[2].isdisjoint(modules)]
        self._stopped = [stopped for stopped in self._stopped if stopped not in due]
        for supervisor, child, _ in due:
            if child.spec.is_forgotten:
                continue
            if child.args is None:
                starting = restart_child(supervisor, child.spec.id)
            else:
                starting = start_child(supervisor, child.args[len(child.spec.args) :])
            await self._in_time(starting, f"the child {child.spec.id} has not started")

    async def restart_child(self, step: RestartChild) -> None:
        """End a child and start it anew. Unlike other exits in a script, the exit of this child is not deferred.

        The reason is that the new child may need a resource of the old child, such as a port.
        """
        self._before_waiting()
        supervisor = runtime().find(step.supervisor)
        table = _table(supervisor.pid)
        child = None if table is None else table.find(step.child)
        if child is not None and child.pid is not None:
            end_at_once(self._transaction, child.pid)
            self._ended_children.append((supervisor.pid, step.child))
            await terminate_child(supervisor.pid, step.child)
        await self._in_time(restart_child(supervisor.pid, step.child), f"the child {step.child} has not started")

    def forget_ended_children(self) -> None:
        """After a failure, record in the restored child tables of supervisors which children have ended."""
        for supervisor, id in self._ended_children:
            table = _table(supervisor)
            child = None if table is None else table.find(id)
            if table is not None and child is not None and child.pid not in runtime().processes:
                table.ended(child)

    async def start_ended_children(self) -> None:
        """After a failure, start the ended children again, in the old code. A child that doesn't start is logged."""
        for supervisor, id in self._ended_children:
            try:
                await restart_child(supervisor, id)
            except (NoProcess, ChildRefused) as error:
                logger.error("the child %s of %s was not started again: %s", id, supervisor, describe_reason(error))

    async def undo(self, failed: list[str]) -> None:
        """Call the `undo` functions of the applied functions, in reverse order. Add each error of an `undo` to
        `failed`.
        """
        for reference, undo, args in reversed(self._undos):
            try:
                await self._call(undo, args)
            except BaseException as error:
                if is_being_cancelled():
                    raise
                failed.append(f"{reference}: {describe_reason(error)}")


def _table(supervisor: Pid) -> ChildTable | None:
    process = runtime().processes.get(supervisor)
    return process.raw_state() if isinstance(process, SupervisorProcess) else None

"""Calls what the instructions `apply`, `stop` and `start` of a script name, and the functions that undo an `apply`."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from node_runtime.behaviours.code_references import resolve_in_versions
from node_runtime.behaviours.upgrade.live_processes import Child
from node_runtime.processes.errors import is_being_cancelled
from node_runtime.processes.exit_reasons import describe_reason
from node_runtime.processes.pid import Pid
from node_runtime.processes.transaction import Transaction
from node_runtime.releases.files.relup_instructions import Apply
from node_runtime.supervisor import restart_child, start_child, terminate_child

from .running_children import running_children


class ScriptCalls:
    """The calls of one run of a script. `before_waiting` is called before other code can run in the meantime."""

    def __init__(self, transaction: Transaction, seconds: float, before_waiting: Callable[[], None]) -> None:
        self._transaction = transaction
        self._seconds = seconds
        self._before_waiting = before_waiting
        self._undos: list[tuple[str, Callable[..., Any], tuple[Any, ...]]] = []
        self._stopped: list[tuple[Pid, Child, frozenset[str]]] = []

    async def apply(self, step: Apply) -> None:
        """Call a function. Raises what it raises, and TimeoutError if it takes longer than the time limit."""
        function, undo = self._function(step.function), self._function(step.undo) if step.undo else None
        await self._call(function, step.args)
        if step.undo and undo is not None:
            self._undos.append((step.undo, undo, step.args))

    def _function(self, reference: str) -> Callable[..., Any]:
        """Return a function in the version that its module has at this place in the script.

        All modules are switched at the first load. Until the script loads a module, its old functions are called.
        """
        found: Callable[..., Any] = resolve_in_versions(reference, self._transaction.previous_namespaces)
        return found

    async def _call(self, function: Callable[..., Any], args: Sequence[Any]) -> None:
        result = function(*args)
        if inspect.isawaitable(result):
            self._before_waiting()
            try:
                async with asyncio.timeout(self._seconds) as limit:
                    await result
            except TimeoutError:
                if limit.expired():
                    raise TimeoutError(f"the function has not ended within {self._seconds:g} s") from None
                raise

    async def stop(self, modules: Sequence[str]) -> None:
        """Terminate every child that runs one of the modules. Follows the `stop` of OTP's release_handler."""
        self._before_waiting()
        for supervisor, child, ran in reversed(list(running_children(modules))):
            await terminate_child(supervisor, child.spec.id if child.args is None else child.pid or Pid(0))
            self._stopped.append((supervisor, child, ran))

    async def start(self, modules: Sequence[str]) -> None:
        """Restart the stopped children of the modules, except temporary ones.

        Children of a simple_one_for_one supervisor are started with their old arguments.
        """
        self._before_waiting()
        due = [stopped for stopped in reversed(self._stopped) if not stopped[2].isdisjoint(modules)]
        self._stopped = [stopped for stopped in self._stopped if stopped not in due]
        for supervisor, child, _ in due:
            if child.spec.is_forgotten:
                continue
            if child.args is None:
                await restart_child(supervisor, child.spec.id)
            else:
                await start_child(supervisor, child.args[len(child.spec.args) :])

    async def undo(self, failed: list[str]) -> None:
        """Undo the applied functions, the last one first. Appends to `failed` what each failing function raised."""
        for reference, undo, args in reversed(self._undos):
            try:
                await self._call(undo, args)
            except BaseException as error:
                if is_being_cancelled():
                    raise
                failed.append(f"{reference}: {describe_reason(error)}")

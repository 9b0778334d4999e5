"""The changes that an upgrade's script makes. Until the script has succeeded, all of them can be undone.

A process that the script starts is held (suspended) as soon as it is idle. A process that the script ends is held, too,
and ends only when the script has succeeded. For every other change, the transaction has a function that undoes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from .pid import Pid

if TYPE_CHECKING:
    from .process import Process


class DeferredAction(NamedTuple):
    """An action that runs when the script has succeeded, and the title that it has in the log."""

    title: str
    run: Callable[[], Awaitable[object]]


class Transaction:
    """The changes that the script of one upgrade has made so far.

    `seconds` is the time limit for suspending a busy process on which the script acts.
    """

    __slots__ = (
        "answering_modules",
        "deferred_actions",
        "ended",
        "ends_at_once",
        "exiting",
        "held",
        "moved_names",
        "owner",
        "previous_namespaces",
        "saved_supervisors",
        "seconds",
        "started",
        "starting",
        "undo_actions",
    )

    def __init__(self, owner: object, seconds: float = 5.0) -> None:
        self.owner = owner
        self.seconds = seconds
        self.started: list[Pid] = []
        """Processes that were started inside the transaction, in order."""
        self.starting: set[asyncio.Timeout] = set()
        """A timeout, not set to a time yet, for each start function that a supervisor awaits now."""
        self.held: list[Pid] = []
        """Processes that are held only because the script acted on them."""
        self.previous_namespaces: dict[str, dict[str, Any]] = {}
        """The previous namespaces of switched modules whose load instruction the script has not reached yet."""
        self.answering_modules: frozenset[str] = frozenset()
        """The modules whose processes are held, but answer requests of the script."""
        self.exiting: dict[int, Process] = {}
        """The processes whose exit is deferred, by pid."""
        self.ends_at_once: set[int] = set()
        """The pids of processes that the script ends at once: their exits are not deferred."""
        self.deferred_actions: list[DeferredAction] = []
        """The actions to run when the script has succeeded, in order."""
        self.undo_actions: list[Callable[[], object]] = []
        """Functions that undo the changes. They are called in reverse order, and can't fail."""
        self.moved_names: list[tuple[str, Process]] = []
        """Each name that a new process has taken from a process with a deferred exit, and the latter process."""
        self.saved_supervisors: set[int] = set()
        """The supervisors whose previous state is recorded in `undo_actions`."""
        self.ended = False
        """True when the script has ended. Tasks that the script has started may still run."""

    async def await_start(self, starting: Awaitable[Any]) -> Any:
        """Await the awaitable of a start function. Raises TimeoutError if `interrupt_starts` is called meanwhile."""
        async with asyncio.timeout(None) as limit:
            self.starting.add(limit)
            try:
                return await starting
            finally:
                self.starting.discard(limit)

    def interrupt_starts(self) -> None:
        """End the start functions that still run after the script has failed: their supervisors wait for them."""
        for limit in self.starting:
            limit.reschedule(asyncio.get_running_loop().time())

    def defer(self, title: str, run: Callable[[], Awaitable[object]]) -> None:
        """Run an action when the script has succeeded. `title` names it in the log: `the end of lamp <4>`."""
        self.deferred_actions.append(DeferredAction(title, run))

    def is_exiting(self, process: Process) -> bool:
        """Return whether the exit of the process or of one of its ancestors is deferred."""
        above: Process | None = process
        while above is not None and above.pid not in self.exiting:
            above = process.runtime.processes.get(above.parent)
        return above is not None

    def forget(self) -> None:
        """Forget all changes, when the transaction has ended and nothing will be undone.

        Every timer and task that the script has created refers to the transaction by its context. Without this call,
        the transaction would keep old code alive as long as these timers and tasks exist.
        """
        for changes in (self.previous_namespaces, self.exiting, self.deferred_actions, self.undo_actions):
            changes.clear()
        self.moved_names.clear()

    def take_name(self, name: str, holder: Process) -> bool:
        """Take the name from `holder` if the exit of `holder` or of one of its ancestors is deferred.

        Returns whether the name was taken.
        """
        if not self.is_exiting(holder):
            return False
        del holder.runtime.names[name]
        holder.name = None
        self.moved_names.append((name, holder))
        return True


transaction_variable: ContextVar[Transaction | None] = ContextVar("node_runtime.transaction", default=None)


def current_transaction() -> Transaction | None:
    """Return the transaction in which the caller runs, if any."""
    transaction = transaction_variable.get()
    return None if transaction is None or transaction.ended else transaction


@contextmanager
def inside_transaction(transaction: Transaction) -> Iterator[Transaction]:
    """Run the block inside `transaction`, which is yielded. A transaction may be entered several times."""
    token = transaction_variable.set(transaction)
    try:
        yield transaction
    finally:
        transaction_variable.reset(token)


@contextmanager
def outside_transactions() -> Iterator[None]:
    """Run the block outside of the caller's transaction: the exits that it causes are not deferred."""
    token = transaction_variable.set(None)
    try:
        yield
    finally:
        transaction_variable.reset(token)

"""A future that wakes its waiting task through the runtime's scheduler, and not through asyncio.

asyncio wakes a waiting task in the next turn of the event loop, after a poll of the selector. The poll costs more than
all the rest of a call. `ReplyFuture` queues the wake-up in the scheduler instead. The scheduler runs many wake-ups in
one turn of the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from .scheduler import Scheduler

AnyReplyFuture: TypeAlias = "ReplyFuture | asyncio.Future[Any]"
"""The future that gets a reply."""

PENDING: Final[Any] = object()
FAILED: Final[Any] = object()
CANCELLED: Final[Any] = object()


class ReplyFuture:
    """A future that one task awaits, with only those methods of asyncio.Future that a call needs.

    An asyncio task can await any object with the attribute `_asyncio_future_blocking` and the methods `get_loop`,
    `add_done_callback`, `cancel` and `result`: asyncio supports this for futures of other libraries.
    """

    __slots__ = ("_asyncio_future_blocking", "_context", "_error", "_node", "_value", "_wake")

    def __init__(self, node: Scheduler) -> None:
        self._asyncio_future_blocking = False
        self._node = node
        self._value: Any = PENDING
        self._error: BaseException | None = None
        self._wake: Callable[[Any], object] | None = None

    # ------------------------------------------------------------------ the replying side

    def done(self) -> bool:
        """Return whether there is a reply or an error, or the waiting task was cancelled."""
        return self._value is not PENDING

    def set_result(self, value: Any) -> None:
        """Set the reply. Raises InvalidStateError if the future is done."""
        if self._value is not PENDING:
            raise asyncio.InvalidStateError("this future is done already")
        self._value = value
        if self._wake is not None:
            self._node.wake(self)

    def set_exception(self, error: BaseException) -> None:
        """Make the waiting task raise `error`. Raises InvalidStateError if the future is done."""
        if self._value is not PENDING:
            raise asyncio.InvalidStateError("this future is done already")
        self._value, self._error = FAILED, error
        if self._wake is not None:
            self._node.wake(self)

    def exception(self) -> BaseException | None:
        """Return the error that the waiting task will raise; None without an error, or if the task has raised it."""
        return self._error

    def cancelled(self) -> bool:
        """Return whether the waiting task was cancelled."""
        return self._value is CANCELLED

    # ------------------------------------------------------------------ the waiting side

    def __await__(self) -> Generator[Any, None, Any]:
        if self._value is PENDING:
            self._asyncio_future_blocking = True
            yield self
        value = self._value
        if value is FAILED or value is CANCELLED or value is PENDING:
            return self.result()
        return value

    def result(self) -> Any:
        """Return the reply. Raises the error that was set, or InvalidStateError if the future isn't done."""
        value = self._value
        if value is FAILED or value is CANCELLED:
            # The error's traceback refers to this frame, and the frame refers to this future. If
            # the future kept the error, there would be a reference cycle.
            error, self._error = self._error, None
            raise error or asyncio.CancelledError
        if value is PENDING:
            raise asyncio.InvalidStateError("this future is not done yet")
        return value

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop of the waiting task."""
        return self._node.loop

    def add_done_callback(self, callback: Callable[[Any], object], *, context: Context) -> None:
        """Set the callback that wakes the one waiting task."""
        if self._wake is not None:
            raise RuntimeError("another task waits for this future already")
        self._wake, self._context = callback, context
        if self._value is not PENDING:
            self._node.wake(self)

    def cancel(self, msg: object = None) -> bool:
        """Cancel the wait because the waiting task is being cancelled; returns whether the task was still waiting."""
        if self._value is not PENDING:
            return False
        self._value, self._error = CANCELLED, None if msg is None else asyncio.CancelledError(msg)
        if self._wake is not None:
            self._node.wake(self)
        return True

    def wake(self) -> None:
        """Run the waiting task now. Called by the scheduler, outside of any task."""
        wake, self._wake = self._wake, None
        if wake is not None:
            # The task calls `result()` of the future that it gets here as an argument. This call
            # is fastest for a future of asyncio, which is implemented in C.
            self._context.run(wake, self._node.done_future)

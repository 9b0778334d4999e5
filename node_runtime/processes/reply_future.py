"""Waiting for somebody else without a turn of the event loop.

asyncio wakes a waiting task by a callback that the event loop runs in its next turn, after a poll of its selector; that
costs more than all the rest of a call. What is awaited here puts the task's wake-up into the scheduler's ready queue,
where it is one of many things that a turn does, and has to wait as the others do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from .scheduler import Scheduler

Awaited: TypeAlias = "Answer | asyncio.Future[Any]"
"""Where an answer goes."""

PENDING: Final[Any] = object()
FAILED: Final[Any] = object()
CANCELLED: Final[Any] = object()


class Answer:
    """What one task awaits: as an asyncio.Future, as far as that task and who answers need it.

    A task accepts as a future what has `_asyncio_future_blocking`, `get_loop`, `add_done_callback`, `cancel` and
    `result`; asyncio promises that to other implementations of futures.
    """

    __slots__ = ("_asyncio_future_blocking", "_context", "_error", "_node", "_value", "_wake")

    def __init__(self, node: Scheduler) -> None:
        self._asyncio_future_blocking = False
        self._node = node
        self._value: Any = PENDING
        self._error: BaseException | None = None
        self._wake: Callable[[Any], object] | None = None

    # ------------------------------------------------------------------ who answers

    def done(self) -> bool:
        """Whether there is an answer, or nobody waits for it any more."""
        return self._value is not PENDING

    def set_result(self, value: Any) -> None:
        """Answer. Raises InvalidStateError if there is an answer."""
        if self._value is not PENDING:
            raise asyncio.InvalidStateError("this has been answered")
        self._value = value
        if self._wake is not None:
            self._node.wake(self)

    def set_exception(self, error: BaseException) -> None:
        """Let the wait fail with `error`. Raises InvalidStateError if there is an answer."""
        if self._value is not PENDING:
            raise asyncio.InvalidStateError("this has been answered")
        self._value, self._error = FAILED, error
        if self._wake is not None:
            self._node.wake(self)

    def exception(self) -> BaseException | None:
        """What the wait fails with, as long as it has not failed yet."""
        return self._error

    def cancelled(self) -> bool:
        """Whether nobody waits any more, since the task was cancelled."""
        return self._value is CANCELLED

    # ------------------------------------------------------------------ who waits

    def __await__(self) -> Generator[Any, None, Any]:
        if self._value is PENDING:
            self._asyncio_future_blocking = True
            yield self
        value = self._value
        if value is FAILED or value is CANCELLED or value is PENDING:
            return self.result()
        return value

    def result(self) -> Any:
        """The answer. Raises what the wait is to fail with, InvalidStateError if there is no answer yet."""
        value = self._value
        if value is FAILED or value is CANCELLED:
            # Its traceback will refer to this frame: kept here, it would be a ring.
            error, self._error = self._error, None
            raise error or asyncio.CancelledError
        if value is PENDING:
            raise asyncio.InvalidStateError("this has not been answered yet")
        return value

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the task that waits."""
        return self._node.loop

    def add_done_callback(self, callback: Callable[[Any], object], *, context: Context) -> None:
        """How to wake the one task that waits."""
        if self._wake is not None:
            raise RuntimeError("one task waits for this already")
        self._wake, self._context = callback, context
        if self._value is not PENDING:
            self._node.wake(self)

    def cancel(self, msg: object = None) -> bool:
        """The task that waits is being cancelled; whether that ends its wait."""
        if self._value is not PENDING:
            return False
        self._value, self._error = CANCELLED, None if msg is None else asyncio.CancelledError(msg)
        if self._wake is not None:
            self._node.wake(self)
        return True

    def wake(self) -> None:
        """Let the task that waits go on, now. For the scheduler, which is in no task then."""
        wake, self._wake = self._wake, None
        if wake is not None:
            # A task asks what wakes it for a result before it goes on; a future in C says at once that it has one.
            self._context.run(wake, self._node.woken)

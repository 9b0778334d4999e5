"""Timers of `send_after`, and the deadlines of calls."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from .pid import Target
from .reply_future import AnyReplyFuture

if TYPE_CHECKING:
    from .process import Process

MAX_INT_SECONDS: Final = 10**300
"""A larger int can't be added to the clock's float."""


def check_seconds(seconds: object) -> None:
    """Raise ValueError for an invalid time.

    An invalid time can do harm: a timer with the time nan makes the event loop fire other timers too late.
    """
    if type(seconds) is float and seconds == seconds:  # noqa: PLR0124 - false only for nan
        return
    if not isinstance(seconds, float | int) or seconds != seconds:  # noqa: PLR0124 - true for nan
        raise ValueError(f"{seconds!r} is not a time; pass seconds as a number")
    if isinstance(seconds, int) and abs(seconds) > MAX_INT_SECONDS:
        raise ValueError("a number this large is not a time; pass seconds as a smaller number, or math.inf for never")


class TimerRef:
    """The identity of a timer of `send_after`. `handle` is None after the timer has fired or was cancelled.

    OTP: the reference that erlang:send_after/3 returns.
    """

    __slots__ = ("due", "handle", "message", "process", "target")

    def __init__(self, due: float, target: Target, message: Any, process: Process | None) -> None:
        self.handle: asyncio.TimerHandle | None = None
        self.due = due
        """The time at which the timer fires, on the monotonic clock.

        The event loop's own clock may be less precise: it may count in whole milliseconds.
        """
        self.target = target
        self.message = message
        """The message that the timer will send. An upgrade may replace it."""
        self.process = process
        """The process whose end cancels the timer; None if the message goes to a name."""

    def start(self, handle: asyncio.TimerHandle, named: set[TimerRef]) -> None:
        """Store the event loop's handle, and register the timer.

        A timer whose message goes to a process is registered with the process, so that the end of the process cancels
        the timer. A timer whose message goes to a name is registered in `named`.
        """
        self.handle = handle
        if self.process is None:
            named.add(self)
            return
        if self.process.timer_refs is None:
            self.process.timer_refs = set()
        self.process.timer_refs.add(self)

    def clear(self, named: set[TimerRef]) -> asyncio.TimerHandle | None:
        """Forget a timer that fires or will be cancelled. Return its handle if it was running, otherwise None."""
        handle, self.handle = self.handle, None
        process, self.process = self.process, None
        self.message = None
        named.discard(self)
        if process is not None and process.timer_refs is not None:
            process.timer_refs.discard(self)
            if not process.timer_refs:
                process.timer_refs = None
        return handle


Deadline: TypeAlias = "list[tuple[float, AnyReplyFuture, Callable[..., Exception], tuple[Any, ...]]]"
"""An entry of `Deadlines`. The waiting code empties the entry afterwards, so that the queue keeps no reply alive."""


class Deadlines:
    """Deadlines of equal duration. They expire in the order in which they were added, so they need only one timer.

    A timer for each call would cost more than the call. When a call gets its reply, its deadline becomes an empty
    entry. Empty entries leave the queue when the next deadline is added, or when the timer fires.
    """

    def __init__(self, seconds: float, loop: asyncio.AbstractEventLoop, context: Context) -> None:
        self.seconds = seconds
        self._loop = loop
        self._context = context
        self._queue: deque[Deadline] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, future: AnyReplyFuture, error: Callable[..., Exception], *args: Any) -> Deadline:
        """Set a deadline: if `future` is not done in time, the future fails with `error(*args)`.

        When the future is done earlier, the caller empties the returned entry.
        """
        queue = self._queue
        while queue and not queue[0]:
            queue.popleft()
        entry: Deadline = [(monotonic() + self.seconds, future, error, args)]
        queue.append(entry)
        if self._timer is None:
            self._timer = self._loop.call_later(self.seconds, self._sweep, context=self._context)
        return entry

    def close(self) -> None:
        """Forget all deadlines."""
        self._queue.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        now, queue = monotonic(), self._queue
        self._timer = None
        while queue:
            if queue[0]:
                due, future, error, args = queue[0][0]
                if due > now:
                    self._timer = self._loop.call_later(due - now, self._sweep, context=self._context)
                    break
                if not future.done():
                    future.set_exception(error(*args))
            queue.popleft()

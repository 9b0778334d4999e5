"""Messages that are sent later, and the deadlines of calls."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from .reply_future import Awaited

if TYPE_CHECKING:
    from .process import Process

FARTHEST: Final = 10**300
"""Seconds; what is beyond can't be added to the clock's."""


def check_seconds(seconds: object) -> None:
    """Raise ValueError for what is no time: one nan among its timers, and the event loop fires others too late."""
    if type(seconds) is float and seconds == seconds:  # noqa: PLR0124 - nan isn't
        return
    if not isinstance(seconds, float | int) or seconds != seconds:  # noqa: PLR0124 - nan
        raise ValueError(f"{seconds!r} is no time; give seconds as a number")
    if isinstance(seconds, int) and abs(seconds) > FARTHEST:
        raise ValueError("a number this large is no time; give seconds as a number, math.inf for never")


class TimerRef:
    """Names one timer that `send_after` has started. `handle` is None once it has fired or is cancelled.

    OTP: the reference that erlang:send_after/3 returns.
    """

    __slots__ = ("due", "handle", "process")

    def __init__(self, due: float, process: Process | None) -> None:
        self.handle: asyncio.TimerHandle | None = None
        self.due = due
        """On the monotonic clock: the loop's own may go in whole milliseconds."""
        self.process = process
        """Whose end cancels it; None where the message goes to a name."""

    def begin(self, handle: asyncio.TimerHandle) -> None:
        """The event loop has been told."""
        self.handle = handle
        if self.process is not None:
            if self.process.alarms is None:
                self.process.alarms = set()
            self.process.alarms.add(self)

    def over(self) -> asyncio.TimerHandle | None:
        """It has fired or is to be cancelled; returns its handle, if it still ran."""
        handle, self.handle = self.handle, None
        process, self.process = self.process, None
        if process is not None and process.alarms is not None:
            process.alarms.discard(self)
            if not process.alarms:
                process.alarms = None
        return handle


class Deadlines:
    """Deadlines that all lie the same time ahead: so they stand in order, and one timer serves them all.

    A loop timer for each call would cost more than the call. An answered call leaves the queue with the next
    one that is added, or when the timer fires.
    """

    def __init__(self, seconds: float, loop: asyncio.AbstractEventLoop, context: Context) -> None:
        self.seconds = seconds
        self._loop = loop
        self._context = context
        self._queue: deque[tuple[float, Awaited, Callable[..., Exception], tuple[Any, ...]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, future: Awaited, error: Callable[..., Exception], *args: Any) -> None:
        """Fail `future` with `error(*args)` unless it is done in time."""
        queue = self._queue
        while queue and queue[0][1].done():
            queue.popleft()
        queue.append((monotonic() + self.seconds, future, error, args))
        if self._timer is None:
            self._timer = self._loop.call_later(self.seconds, self._sweep, context=self._context)

    def close(self) -> None:
        """Forget all of them."""
        self._queue.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        now, queue = monotonic(), self._queue
        while queue and (queue[0][1].done() or queue[0][0] <= now):
            _, future, error, args = queue.popleft()
            if not future.done():
                future.set_exception(error(*args))
        self._timer = self._loop.call_later(queue[0][0] - now, self._sweep, context=self._context) if queue else None

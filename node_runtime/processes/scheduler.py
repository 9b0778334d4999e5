"""The scheduler: it queues the processes that have messages, and runs them in bounded turns.

There is no task per process. A mailbox exists only while it has messages. An idle process that has
a mailbox is in the queue `ready` exactly once. For each turn, the event loop calls the scheduler
(`call_soon`). The scheduler takes the processes from `ready` and lets each handle at most 32
messages. The turn ends when `ready` is empty, or after 2,000 messages, 256 woken tasks or 5 ms;
then the event loop runs.

Each turn costs a poll of the event loop's selector, so one turn goes through `ready` many times. To
save further polls, the scheduler also wakes the tasks that wait for replies (`ReplyFuture`). It
also keeps the task of an async callback for the next callbacks of the same process, until the event
loop has run again.

A call to an idle server may skip the queue (`gen_server.call`) and run in its caller's turn. After 256 such calls, or 1
ms after the first of them, the event loop has to run before the next such call. So a client that calls in a loop can't
starve the other processes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from random import getrandbits
from threading import get_ident
from time import monotonic
from typing import Any, Final

from .errors import Exit, NoProcess
from .process import DEAD, WAITING, MailItem, Process, task_process
from .reply_future import ReplyFuture
from .timers import Deadlines, TimerRef, check_seconds

MAX_MESSAGES_PER_RUN: Final = 32
"""The number of messages that one process may handle before the next process runs."""
MAX_TURN_MESSAGES: Final = 2000
MAX_TURN_SECONDS: Final = 0.005
MAX_TURN_REPLIES: Final = 256
"""The number of waiting tasks that one turn may wake."""
MAX_INLINE_CALLS: Final = 256
"""The number of calls that may run in their caller's turn before the event loop has to run."""
MAX_INLINE_SECONDS: Final = 0.001
SAMPLE_BITS: Final = 5
SAMPLE_WEIGHT: Final = (2**SAMPLE_BITS + 1) / 2
"""The weight of a measured call. Reading the clock takes a quarter of the time of a quick call in
its caller's turn. So, while calls are quick, only one call in 16.5 on average is measured, and its
time counts 16.5 times. The choice is random, so that no regular pattern of calls escapes the
measurement.
"""
QUICK_CALL_SECONDS: Final = 0.00005
DEFAULT_CALL_SECONDS: Final = 5.0
"""The default timeout of a call."""


class Scheduler:
    """The scheduler of a runtime, which runs the processes in turns on its event loop."""

    # Scheduler and Runtime have more than 30 attributes. In a `__dict__`, so many attributes would be slow.
    __slots__ = (
        "_armed",
        "_inline_until",
        "_loop_watched",
        "_parked",
        "_unpark_scheduled",
        "_weight",
        "check_clock_at",
        "context",
        "current",
        "deadlines",
        "done_future",
        "done_replies",
        "handled",
        "inline",
        "inline_credit",
        "loop",
        "named_timers",
        "nested_callers",
        "ready",
        "thread",
    )

    def __init__(self, *, inline: bool = True) -> None:
        self.inline = inline
        self.current: Process | None = None
        """The process whose callback is running, if the callback isn't async; None while an async callback runs."""
        self.nested_callers: list[Process] = []
        """The processes that wait in `call_now` for the running callback, the outermost first."""
        self.ready: deque[Process] = deque()
        self.done_replies: deque[ReplyFuture] = deque()
        """Futures whose waiting tasks are woken as soon as no process is ready, or else in the next turn."""
        self.inline_credit = 0
        """The remaining number of calls that may run in their caller's turn before the loop has to run."""
        self.check_clock_at: int = 0
        """The value of `inline_credit` at which the next call has to read the clock, or to get new credit."""
        self._inline_until = 0.0
        self._weight = 1.0
        self.handled = 0
        """The number of handled messages of all processes.

        Messages that a process's own task takes from the mailbox are not counted.
        """
        self.named_timers: set[TimerRef] = set()
        """The running timers of `send_after` whose messages go to names."""
        self._armed = False
        self._loop_watched = False
        self._parked: dict[Process, tuple[asyncio.Task[None], ReplyFuture]] = {}
        self._unpark_scheduled = False

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use this event loop, which runs in the calling thread, from now on."""
        self.loop = loop
        self.thread = get_ident()
        self.context = copy_context()
        self.context.run(task_process.set, None)
        self.deadlines = Deadlines(DEFAULT_CALL_SECONDS, loop, self.context)
        self.done_future: asyncio.Future[None] = loop.create_future()
        self.done_future.set_result(None)

    # ------------------------------------------------------------------ messages

    def post(self, process: Process, item: MailItem) -> None:
        """Put `item` into the mailbox, and make the process ready if it is idle."""
        mail = process.mail
        if mail is not None:
            mail.append(item)
            return
        run_state = process.run_state
        if run_state is DEAD:
            self.fail(item, NoProcess(process.pid))
            return
        process.mail = deque((item,))
        if run_state is None or run_state is WAITING:
            self.ready.append(process)
            if not self._armed:
                self._arm()

    def make_ready(self, process: Process) -> None:
        """Queue a process that is idle again and has messages."""
        self.ready.append(process)
        if not self._armed:
            self._arm()

    def wake(self, answer: ReplyFuture) -> None:
        """Queue the wake-up of the task that waits for `answer`."""
        self.done_replies.append(answer)
        if not self._armed:
            self._arm()

    def fail(self, item: MailItem, error: Exit) -> None:
        """Raise `error` in the caller that waits for the reply to `item`, if there is one."""
        future = item[3]
        if future is not None and not future.done():
            future.set_exception(error)

    # ------------------------------------------------------------------ turns

    def _arm(self) -> None:
        self._armed = True
        self.loop.call_soon(self._drain, context=self.context)

    def _drain(self) -> None:
        ready, replies = self.ready, self.done_replies
        left, wakes_left = MAX_TURN_MESSAGES, MAX_TURN_REPLIES
        waking = len(replies)  # replies of the previous turn go first
        now = monotonic()
        until = now + MAX_TURN_SECONDS
        try:
            while left > 0 and wakes_left and now <= until:
                if waking:
                    if self._loop_is_due(now):
                        break
                    waking -= 1
                    wakes_left -= 1
                    replies.popleft().wake()
                    now = monotonic()
                elif ready:
                    process = ready.popleft()
                    if process.mail is not None and (process.run_state is None or process.run_state is WAITING):
                        before = now
                        left -= process.run()
                        now = monotonic()
                        process.spent += now - before
                elif replies:
                    waking = len(replies)
                else:
                    break
        finally:
            self.handled += MAX_TURN_MESSAGES - left
            if ready or replies:
                self._arm()
            else:
                self._armed = False

    # ------------------------------------------------------------------ calls in the caller's turn

    def may_inline(self) -> bool:
        """Return whether one more call may run in its caller's turn, and if so, count it."""
        if self.inline_start_time():
            self.inline_credit -= 1
            return True
        return False

    def inline_start_time(self) -> float:
        """Return the current time if one more call may run in its caller's turn, or else 0.0."""
        if self.inline_credit:
            now = monotonic()
            return now if now < self._inline_until else 0.0
        if self._loop_watched or not self.inline:
            return 0.0
        self._loop_watched = True
        self.loop.call_soon(self._loop_ran, context=self.context)
        now = monotonic()
        self.inline_credit = self.check_clock_at = MAX_INLINE_CALLS
        self._inline_until = now + MAX_INLINE_SECONDS
        self._weight = 1.0
        return now

    def count_inline_call(self, process: Process, began: float) -> None:
        """Add the time of a call that has run in its caller's turn to the time of `process`.

        `began` is what `inline_start_time` returned for this call.
        """
        now = monotonic()
        elapsed = now - began
        process.spent += elapsed * self._weight
        if elapsed < QUICK_CALL_SECONDS and now < self._inline_until:
            self._weight = SAMPLE_WEIGHT
            self.check_clock_at = max(self.inline_credit - 1 - getrandbits(SAMPLE_BITS), 0)
        else:
            self._weight = 1.0
            self.check_clock_at = self.inline_credit

    def _loop_is_due(self, now: float) -> bool:
        """Return whether the event loop has to run first, after 256 calls or 1 ms of calls in their callers' turns."""
        return self._loop_watched and (not self.inline_credit or now >= self._inline_until)

    def _loop_ran(self) -> None:
        self.handled += MAX_INLINE_CALLS - self.inline_credit
        self.inline_credit = self.check_clock_at = 0
        self._inline_until = 0.0
        self._loop_watched = False

    # ------------------------------------------------------------------ tasks

    def create_task(self, coroutine: Coroutine[Any, Any, None], context: Context | None = None) -> asyncio.Task[None]:
        """Create a task in `context`. The default is a copy of the runtime's context, and not the caller's context."""
        return self.loop.create_task(coroutine, context=context or self.context.copy())

    def park(self, process: Process, task: asyncio.Task[None]) -> ReplyFuture:
        """Keep an idle task, so that the next async callback of `process` can run in it.

        The returned future gets True when an async callback needs the task, and False when the task has to end.
        """
        needed = ReplyFuture(self)
        self._parked[process] = (task, needed)
        if not self._unpark_scheduled:
            self._unpark_scheduled = True
            self.loop.call_soon(self._unpark, context=self.context)
        return needed

    def parked_task(self, process: Process) -> asyncio.Task[None] | None:
        """Return the task that was kept for the process, and wake the task; None if no task was kept."""
        parked = self._parked.pop(process, None)
        if parked is None:
            return None
        parked[1].set_result(True)
        return parked[0]

    async def unpark(self) -> None:
        """End all tasks that `park` has kept."""
        tasks = [task for task, _ in self._parked.values()]
        self._unpark()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _unpark(self) -> None:
        self._unpark_scheduled = False
        parked, self._parked = self._parked, {}
        for _, needed in parked.values():
            if not needed.done():
                needed.set_result(False)

    def call_later(self, seconds: float, function: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        """Call `function` in `seconds` seconds, without the caller's context. Raises ValueError for an invalid time."""
        check_seconds(seconds)
        return self.loop.call_later(seconds, function, *args, context=self.context)

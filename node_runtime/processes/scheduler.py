"""Who runs next: one ready queue for all processes with mail, drained in bounded turns.

There is no task per process. A mailbox exists only while something is queued, and a process with mail stands in
`ready` once. One `call_soon` drains the queue: at most 32 messages a process, then the next one; at most 2,000
messages, 256 answers or 5 ms a turn, then the event loop has its turn. Draining a single round per loop turn would
cost a poll of the selector for every round. For the same reason a task that waits for a process is woken here when it
is answered (`Answer`), and the task of an async callback is kept for the process's next ones until the loop has
run again.

A call to an idle server may skip the queue (`gen_server.call`). It needs credit: 256 such calls or 1 ms after the
first of them, until the loop has run again. So a client that calls in a loop cannot starve the others.
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
from .process import DEAD, WAITING, Item, Process, here
from .reply_future import Answer
from .timers import Deadlines, check_seconds

QUANTUM: Final = 32
TURN: Final = 2000
TURN_SECONDS: Final = 0.005
WAKES: Final = 256
CREDIT: Final = 256
CREDIT_SECONDS: Final = 0.001
SAMPLE_BITS: Final = 5
SAMPLE_WEIGHT: Final = (2**SAMPLE_BITS + 1) / 2
"""Looking at the clock costs a quarter of a quick call in its caller's turn. So, while they are quick, the time of one
in 16.5 of them on average stands for all; which ones is random, so that no pattern of calls can hide from it."""
QUICK_SECONDS: Final = 0.00005
CALL_SECONDS: Final = 5.0


class Scheduler:
    """The turns of a runtime's processes on its event loop."""

    def __init__(self, *, inline: bool = True) -> None:
        self.inline = inline
        self.current: Process | None = None
        """Whose plain callback runs right now; None while an async one does."""
        self.nested: list[Process] = []
        """Who waits in `call_now` for the callback that runs right now, the outermost first."""
        self.ready: deque[Process] = deque()
        self.answered: deque[Answer] = deque()
        """What tasks have waited for that go on when no process is ready any more, or else in the next turn."""
        self.inline_calls = 0
        """Calls that may still run in their caller's turn, before the loop has to run."""
        self.look_at: int = 0
        """When so many of them are left, the next one has to look at the clock, or for credit."""
        self._inline_until = 0.0
        self._weight = 1.0
        self.handled = 0
        """Messages handled so far by all processes, without the ones of async bursts that still run."""
        self._armed = False
        self._loop_watched = False
        self._parked: dict[Process, tuple[asyncio.Task[None], Answer]] = {}
        self._unparks = False

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use this loop, which runs in the calling thread, from now on."""
        self.loop = loop
        self.thread = get_ident()
        self.context = copy_context()
        self.context.run(here.set, None)
        self.deadlines = Deadlines(CALL_SECONDS, loop, self.context)
        self.woken: asyncio.Future[None] = loop.create_future()
        self.woken.set_result(None)

    # ------------------------------------------------------------------ mail

    def post(self, process: Process, item: Item) -> None:
        """Put `item` into the mailbox and see to it that somebody looks there."""
        mail = process.mail
        if mail is not None:
            mail.append(item)
            return
        gate = process.gate
        if gate is DEAD:
            self.fail(item, NoProcess(process.pid))
            return
        process.mail = deque((item,))
        if gate is None or gate is WAITING:
            self.ready.append(process)
            if not self._armed:
                self._arm()

    def make_ready(self, process: Process) -> None:
        """It is idle again and has mail."""
        self.ready.append(process)
        if not self._armed:
            self._arm()

    def wake(self, answer: Answer) -> None:
        """Let the task that waits for `answer` go on when it is its turn."""
        self.answered.append(answer)
        if not self._armed:
            self._arm()

    def fail(self, item: Item, error: Exit) -> None:
        """Tell the one who waits for an answer to `item` that none will come."""
        future = item[3]
        if future is not None and not future.done():
            future.set_exception(error)

    # ------------------------------------------------------------------ turns

    def _arm(self) -> None:
        self._armed = True
        self.loop.call_soon(self._drain, context=self.context)

    def _drain(self) -> None:
        ready, answered = self.ready, self.answered
        left, wakes = TURN, WAKES
        waking = len(answered)  # who was answered in the turn before goes first
        now = monotonic()
        until = now + TURN_SECONDS
        try:
            while left > 0 and wakes and now <= until:
                if waking:
                    if self._credit_spent(now):
                        break
                    waking -= 1
                    wakes -= 1
                    answered.popleft().wake()
                    now = monotonic()
                elif ready:
                    process = ready.popleft()
                    if process.mail is not None and (process.gate is None or process.gate is WAITING):
                        before = now
                        left -= process.run()
                        now = monotonic()
                        process.spent += now - before
                elif answered:
                    waking = len(answered)
                else:
                    break
        finally:
            self.handled += TURN - left
            if ready or answered:
                self._arm()
            else:
                self._armed = False

    # ------------------------------------------------------------------ calls in the caller's turn

    def may_inline(self) -> bool:
        """Whether one more call may run in its caller's turn; takes the credit for it."""
        if self.look():
            self.inline_calls -= 1
            return True
        return False

    def look(self) -> float:
        """The time, if one more call may run in its caller's turn, or else 0.0."""
        if self.inline_calls:
            now = monotonic()
            return now if now < self._inline_until else 0.0
        if self._loop_watched or not self.inline:
            return 0.0
        self._loop_watched = True
        self.loop.call_soon(self._loop_ran, context=self.context)
        now = monotonic()
        self.inline_calls = self.look_at = CREDIT
        self._inline_until = now + CREDIT_SECONDS
        self._weight = 1.0
        return now

    def charge(self, process: Process, began: float) -> None:
        """A call in its caller's turn, for which `look` gave the time `began`, is over."""
        now = monotonic()
        elapsed = now - began
        process.spent += elapsed * self._weight
        if elapsed < QUICK_SECONDS and now < self._inline_until:
            self._weight = SAMPLE_WEIGHT
            self.look_at = max(self.inline_calls - 1 - getrandbits(SAMPLE_BITS), 0)
        else:
            self._weight = 1.0
            self.look_at = self.inline_calls

    def _credit_spent(self, now: float) -> bool:
        """Whether it is the event loop's turn: then calls in their caller's turn, which are quicker, go on."""
        return self._loop_watched and (not self.inline_calls or now >= self._inline_until)

    def _loop_ran(self) -> None:
        self.handled += CREDIT - self.inline_calls
        self.inline_calls = self.look_at = 0
        self._inline_until = 0.0
        self._loop_watched = False

    # ------------------------------------------------------------------ tasks

    def create_task(self, coroutine: Coroutine[Any, Any, None], context: Context | None = None) -> asyncio.Task[None]:
        """A task that inherits nothing of the caller's context."""
        return self.loop.create_task(coroutine, context=context or self.context.copy())

    def park(self, process: Process, task: asyncio.Task[None]) -> Answer:
        """The task has nothing to do at the moment. What is returned tells it whether the process needs it again."""
        seat = Answer(self)
        self._parked[process] = (task, seat)
        if not self._unparks:
            self._unparks = True
            self.loop.call_soon(self._unpark, context=self.context)
        return seat

    def parked_task(self, process: Process) -> asyncio.Task[None] | None:
        """The task that waits for the process to need it, which it does now."""
        parked = self._parked.pop(process, None)
        if parked is None:
            return None
        parked[1].set_result(True)
        return parked[0]

    async def unpark(self) -> None:
        """Let the tasks end that nobody needs now."""
        tasks = [task for task, _ in self._parked.values()]
        self._unpark()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _unpark(self) -> None:
        self._unparks = False
        parked, self._parked = self._parked, {}
        for _, seat in parked.values():
            if not seat.done():
                seat.set_result(False)

    def later(self, seconds: float, function: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        """`loop.call_later` that inherits nothing of the caller's context. Raises ValueError for what is no time."""
        check_seconds(seconds)
        return self.loop.call_later(seconds, function, *args, context=self.context)

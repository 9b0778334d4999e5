"""The recorder of a process: a log of its last events, a trace, statistics, and debug functions.

The `CallbackVersion` of a recorded process has the recorder, and its `methods` are empty. So no caller can run a method
directly: each call goes through the process's `step`, which records the call. Other processes have no overhead. Follows
the debug options of sys.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from node_runtime.processes.errors import CRASH_EXCEPTIONS
from node_runtime.processes.log_context import logging_as
from node_runtime.processes.process import MailItem, Process, request_arguments
from node_runtime.processes.reply_future import AnyReplyFuture

from .show.log_format import message_line, one_line

if TYPE_CHECKING:
    from .behaviour_process import BehaviourProcess

DebugEventKind: TypeAlias = Literal["in", "out", "noreply", "state", "postpone"]
"""The event: a process took a message ("in"), answered a call ("out") or ended a callback without an answer
("noreply"); or a state machine changed its state ("state") or postponed an event ("postpone").
"""

logger: Final = logging.getLogger("node_runtime.trace")


class DebugEnded:
    """The type of `DONE`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "DONE"


DONE: Final = DebugEnded()
"""The result of a debug function that is to be removed."""


@dataclass(frozen=True, slots=True)
class SystemEvent:
    """An event of a process. `value` is the object itself: a message, an answer, or the name of the new state.

    A request's value is `(method, args, kwargs)`. `at` is in seconds since the epoch. `line()` returns the event as one
    line without secrets, as in a log. Follows sys:system_event().
    """

    kind: DebugEventKind
    value: Any
    at: float
    line: Callable[[], str] = field(default=str, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Logged:
    """A logged event: `text` is one line, written at the time of the event, without secrets.

    `at` is in seconds since the epoch. OTP: sys:get_log/1.
    """

    at: float
    kind: DebugEventKind
    text: str


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts since `started`. `started` and `now` are seconds since the epoch, `spent` is seconds in callbacks.

    `messages_in` counts the messages that the process took, `messages_out` the calls that it answered.

    Follows `sys:statistics(Name, get)`.
    """

    started: float
    now: float
    messages_in: int
    messages_out: int
    spent: float


DebugFunction: TypeAlias = Callable[[Any, SystemEvent], Any]
"""`function(state, event)` returns its next state, or DONE."""


class TraceWriter:
    """Writes at most `rate` events a second as log records, and logs the number of omitted events."""

    __slots__ = ("_left", "_left_out", "_until", "rate")

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._left = rate
        self._left_out = 0
        self._until = time.monotonic() + 1.0

    def write(self, process: Process, kind: DebugEventKind, text: Callable[[], str]) -> None:
        """Log one event. If the rate is exceeded, only count the event; `finish` logs the count."""
        now = time.monotonic()
        if now >= self._until:
            self.finish(process)
            self._left, self._until = self.rate, now + 1.0
        if self._left > 0:
            self._left -= 1
            with logging_as(process):
                logger.info("%s: %s %s", process.title(), kind, text())
        else:
            self._left_out += 1

    def finish(self, process: Process) -> None:
        """Log how many events were left out so far."""
        if self._left_out:
            with logging_as(process):
                logger.info(
                    "%s: %d events left out of the trace (limit %d a second)",
                    process.title(),
                    self._left_out,
                    self.rate,
                )
            self._left_out = 0


class MessageCounters:
    """Counters of the messages of a process since this object was made."""

    __slots__ = ("_spent", "_started", "received", "sent")

    def __init__(self, process: Process) -> None:
        self._started = time.time()
        self._spent = process.busy_seconds()
        self.received = 0
        self.sent = 0

    def read(self, process: Process) -> Statistics:
        """Return the counts as they are now."""
        spent = process.busy_seconds() - self._spent
        return Statistics(self._started, time.time(), self.received, self.sent, spent)


class DebugRecorder:
    """The recorder of the events of one process."""

    __slots__ = ("counters", "functions", "lines", "recorded_answer", "trace")

    def __init__(self) -> None:
        self.lines: deque[Logged] | None = None
        self.trace: TraceWriter | None = None
        self.counters: MessageCounters | None = None
        self.functions: dict[object, tuple[DebugFunction, Any]] = {}
        self.recorded_answer: AnyReplyFuture | None = None
        """The last answer that was recorded while a callback ran. It must not be recorded again."""

    def in_use(self) -> bool:
        """Return whether anything is to be recorded."""
        return bool(self.functions) or not (self.lines is None and self.trace is None and self.counters is None)

    def message_taken(self, process: BehaviourProcess, item: MailItem, cls: type[Any]) -> None:
        """Record that the process begins to handle a message."""
        if self.counters is not None:
            self.counters.received += 1
        value = (
            item[1]
            if item[0] is None
            else (item[0], *(request_arguments(item) if isinstance(item[0], str) else item[1:3]))
        )
        self.record(process, "in", value, lambda: message_line(item, cls))

    def callback_ended(self, process: BehaviourProcess, item: MailItem) -> None:
        """Record that the callback for a message has ended."""
        future, recorded = item[3], self.recorded_answer
        self.recorded_answer = None
        if future is None or not future.done():
            self.record(process, "noreply", None, str)
        elif future is not recorded:
            with suppress(asyncio.CancelledError):  # the caller no longer waits
                if future.exception() is None:
                    self.reply_sent(process, future, future.result())
                    self.recorded_answer = None

    def reply_sent(self, process: BehaviourProcess, future: AnyReplyFuture, answer: object) -> None:
        """Record that a caller has got its answer. The callback may still run."""
        self.recorded_answer = future
        if self.counters is not None:
            self.counters.sent += 1
        self.record(process, "out", answer, lambda: one_line(answer))

    def record(self, process: BehaviourProcess, kind: DebugEventKind, value: object, text: Callable[[], str]) -> None:
        """Record an event: add it to the log, write it to the trace, and pass it to the debug functions.

        `text()` returns the event as one line.
        """
        if self.lines is not None:
            self.lines.append(Logged(time.time(), kind, text()))
        if self.trace is not None:
            self.trace.write(process, kind, text)
        if self.functions:
            self._call_functions(process, SystemEvent(kind, value, time.time(), text))

    def _call_functions(self, process: BehaviourProcess, event: SystemEvent) -> None:
        for id, (function, state) in list(self.functions.items()):
            try:
                after = function(state, event)
            except CRASH_EXCEPTIONS:
                logger.exception("%s: the debug function %r failed and is removed", process.title(), id)
                after = DONE
            if after is DONE:
                self.functions.pop(id, None)
            elif id in self.functions:
                self.functions[id] = (function, after)
        if not self.in_use():
            process.set_recorder(None)

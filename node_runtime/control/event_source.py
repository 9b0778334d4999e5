"""Converts process events and log records into the node's events, at a bounded rate.

A node that starts a process for each request starts more processes than an operator can read about. Therefore a
process without a name is reported only when it ends abnormally.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from node_runtime.behaviours.show.describe import DescribeLimits, describe
from node_runtime.processes.crash_report import CrashReport, raised_at, trace_lines
from node_runtime.processes.exit_reasons import describe_reason, is_orderly
from node_runtime.processes.messages import ProcessEvent
from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol.clip import clip

from .event_log import EventLog

T = TypeVar("T")

BATCH_SECONDS: Final = 0.1
"""Seconds for which process events are collected before they are reported."""
MAX_EVENTS_PER_BATCH: Final = 10
"""The number of collected process events that are reported one by one; all further events are only counted."""
MAX_RECORDS_PER_BATCH: Final = 20
"""The number of collected log records that are reported one by one; all further records are only counted."""
MAX_TEXT_LENGTH: Final = 300
"""The maximum number of characters in an event's text, and in a line of its traceback."""
MAX_TRACE_LINES: Final = 40
"""The maximum number of lines of an event's traceback; of a longer one, lines in the middle are left out."""


@dataclass(frozen=True, slots=True)
class _CollectedRecord:
    at: float
    level: int
    text: str
    trace: tuple[str, ...]


class EventSource(logging.Handler):
    """Reports the process events of `runtime`, and all log records of level WARNING or higher, until `close`.

    Process events and log records may arrive in any thread. `run(task)` and `later(seconds, task)` are methods of
    `ControlThread`.
    """

    def __init__(
        self,
        runtime: Runtime,
        events: EventLog,
        run: Callable[[Callable[[], None]], None],
        later: Callable[[float, Callable[[], None]], None],
    ) -> None:
        super().__init__(logging.WARNING)
        self._events = events
        self._run = run
        self._later = later
        self._batch: deque[tuple[float, ProcessEvent]] = deque()
        self._log_batch: deque[_CollectedRecord] = deque()
        self._log_window_end, self._log_room = 0.0, 0
        self._unsubscribe = runtime.subscribe(self._on_process_event)
        logging.getLogger().addHandler(self)

    def close(self) -> None:
        """Stop reporting."""
        logging.getLogger().removeHandler(self)
        self._unsubscribe()
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """Publish one log record."""
        if record.name == "node_runtime.control":
            return  # a log record about publishing would cause another one, endlessly
        trace: tuple[str, ...] = ()
        try:
            text = _line(f"{record.getMessage()}{_raised(record)}")
            trace = _trace(record)
        except Exception:
            text = _line(f"a log record of {record.name} that can't be formatted")
        text = f"{record.levelname.lower()}: {text}"
        self._log_batch.append(_CollectedRecord(record.created, record.levelno, text, trace))
        if len(self._log_batch) == 1:
            self._run(self._publish_log)

    def _on_process_event(self, event: ProcessEvent) -> None:
        if event.name is None and (event.kind != "ended" or is_orderly(event.reason)):
            return
        self._batch.append((time.time(), event))
        if len(self._batch) == 1:
            self._run(lambda: self._later(BATCH_SECONDS, self._publish_batch))

    def _publish_log(self) -> None:
        """Publish the most serious of the collected log records, and the number of the others."""
        now = time.monotonic()
        if now >= self._log_window_end:
            self._log_window_end, self._log_room = now + BATCH_SECONDS, MAX_RECORDS_PER_BATCH
        if not self._log_room:
            self._later(self._log_window_end - now, self._publish_log)
            return
        batch = _drained(self._log_batch)
        by_level = sorted(range(len(batch)), key=lambda number: -batch[number].level)
        room, self._log_room = self._log_room, max(0, self._log_room - len(batch))
        for number in sorted(by_level[:room]):
            record = batch[number]
            self._events.emit("log", record.text, at=record.at, trace=record.trace)
        if left := by_level[room:]:
            errors = sum(batch[number].level >= logging.ERROR for number in left)
            counted = f"{errors:,} of them errors" if errors else "none of them an error"
            self._events.emit("log", f"warning: and {len(left):,} more log records, {counted}")

    def _publish_batch(self) -> None:
        batch = _drained(self._batch)
        for at, event in batch[:MAX_EVENTS_PER_BATCH]:
            self._events.emit("process", _sentence(event), at=at)
        if len(batch) > MAX_EVENTS_PER_BATCH:
            self._events.emit(
                "process", f"and {len(batch) - MAX_EVENTS_PER_BATCH:,} more starts, ends and registrations of processes"
            )


def _drained(waiting: deque[T]) -> list[T]:
    """Remove and return all items. None may stay, because only an item in an empty deque schedules the next batch."""
    items: list[T] = []
    while waiting:
        items.append(waiting.popleft())
    return items


def _sentence(event: ProcessEvent) -> str:
    title = _line(f"{event.name} {event.pid}" if event.name else str(event.pid))
    if event.kind == "ended":
        return f"{title} ended: {_reason(event.reason)}"
    return f"{title} started" if event.kind == "born" else f"{title} was registered"


def _reason(reason: object) -> str:
    """Return an exit reason on one line, without running its `repr`."""
    if type(reason) is str:
        return _line(reason)
    term = describe(reason, DescribeLimits(depth=2, parts=4, terms=20))
    parts = [part.text for _, part in term.items] or [term.text]
    if issubclass(type(reason), BaseException) and term.items:
        parts = [argument.text for _, argument in term.items[0][1].items]
    return _line(f"{term.type} {', '.join(parts)}")


def _raised(record: logging.LogRecord) -> str:
    """Return a clause with the exception of a log record and the call that raised it; a crash report has its own."""
    error = record.exc_info[1] if record.exc_info else None
    if error is None or hasattr(record, "report"):
        return ""
    place = raised_at(error)
    return f": {describe_reason(error)}" + (f" at {place}" if place else "")


def _trace(record: logging.LogRecord) -> tuple[str, ...]:
    """Return the traceback of the exception of a log record."""
    report: object = getattr(record, "report", None)
    if isinstance(report, CrashReport):
        lines = report.trace
    else:
        error = record.exc_info[1] if record.exc_info else None
        lines = () if error is None else trace_lines(error)
    left_out = len(lines) - MAX_TRACE_LINES
    if left_out > 0:
        half = MAX_TRACE_LINES // 2
        lines = (*lines[:half], f"… {left_out:,} lines left out", *lines[-half:])
    return tuple(_line(one) for one in lines)


def _line(text: str) -> str:
    """Return the beginning of a text, redacted before it is cut: half a secret may not be recognized."""
    return clip(shown(text)[: MAX_TEXT_LENGTH + 1], MAX_TEXT_LENGTH)

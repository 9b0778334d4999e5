"""Turns what the runtime and the log say into events, bounded: a node that starts a process for each request has more
births than anybody wants to read. So a process without a name is told of only when it ends otherwise than in order.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from node_runtime.behaviours.show.describe import Limits, describe
from node_runtime.behaviours.show.value_readers import escape
from node_runtime.processes.exit_reasons import is_orderly
from node_runtime.processes.messages import ProcessEvent
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol.clip import clip

from .event_log import EventLog

PAUSE: Final = 0.1
"""Seconds in which births and ends are gathered."""
LISTED: Final = 10
"""How many of them are told one by one; the others are counted."""
LONGEST: Final = 300
"""Characters of a line."""


class Watch(logging.Handler):
    """Follows `runtime`'s processes and every log record of at least the level WARNING, until `close`.

    Both come from any thread; `later(seconds, work)` and `run(work)` are the endpoint's.
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
        self._seen: deque[tuple[float, ProcessEvent]] = deque()
        self._unsubscribe = runtime.subscribe(self._process)
        logging.getLogger().addHandler(self)

    def close(self) -> None:
        """Follow no more."""
        logging.getLogger().removeHandler(self)
        self._unsubscribe()
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """Tell one log record."""
        if record.name == "node_runtime.control":
            return  # an error in telling would tell itself for ever
        try:
            text = _line(record.getMessage())
        except Exception:
            text = _line(f"a log record of {record.name} that can't be written")
        self._run(lambda: self._events.emit("log", f"{record.levelname.lower()}: {text}", at=record.created))

    def _process(self, event: ProcessEvent) -> None:
        if event.name is None and (event.kind != "ended" or is_orderly(event.reason)):
            return
        self._seen.append((time.time(), event))
        if len(self._seen) == 1:
            self._run(lambda: self._later(PAUSE, self._tell))

    def _tell(self) -> None:
        seen = [self._seen.popleft() for _ in range(len(self._seen))]
        for at, event in seen[:LISTED]:
            self._events.emit("process", _sentence(event), at=at)
        if len(seen) > LISTED:
            self._events.emit("process", f"and {len(seen) - LISTED:,} more processes began, ended or got a name")


def _sentence(event: ProcessEvent) -> str:
    title = _line(f"{event.name} {event.pid}" if event.name else str(event.pid))
    if event.kind == "ended":
        return f"{title} ended: {_reason(event.reason)}"
    return f"{title} began" if event.kind == "born" else f"{title} is its name now"


def _reason(reason: object) -> str:
    """An exit reason in a line, without running its `repr`."""
    if type(reason) is str:
        return _line(reason)
    term = describe(reason, Limits(depth=2, parts=4, terms=20))
    parts = [part.text for _, part in term.items] or [term.text]
    if issubclass(type(reason), BaseException) and term.items:
        parts = [argument.text for _, argument in term.items[0][1].items]
    return _line(f"{term.type} {', '.join(parts)}")


def _line(text: str) -> str:
    return clip(escape(text[: LONGEST + 1]), LONGEST)

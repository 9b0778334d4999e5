"""The log of the processes that ended most recently, with their exit reasons.

There are two lists of limited length: one for orderly ends and one for all other ends. A node may spawn a process for
each request. In a common list, the many orderly ends of such processes would displace the few crashes.
"""

from __future__ import annotations

import time
from collections import deque
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from node_runtime.protocol.clip import clip
from node_runtime.protocol.messages import ProcessKind

from .exit_reasons import describe_reason, is_orderly
from .pid import Pid

if TYPE_CHECKING:
    from .crash_report import CrashReport
    from .process import Process

MAX_ENDS_KEPT: Final = 200
"""A runtime remembers this number of orderly ends, and the same number of other ends."""
MAX_REPORTS_KEPT: Final = 50
"""A runtime remembers this number of crash reports, each with at most a few thousand characters."""
MAX_REASON_CHARS: Final = 300
"""The limit of a reason's text, in characters. The log doesn't keep the reason itself, which may refer to old code."""


class Finished(NamedTuple):
    """An ended process and its exit reason as a text.

    `messages` counts the handled messages; `orderly` is False after a crash. `started` and `ended`
    are in seconds since the epoch; `spent` is the time in callbacks, in seconds, as in ProcessInfo.
    OTP keeps no such record.
    """

    pid: Pid
    name: str | None
    kind: ProcessKind
    module: str
    qualname: str
    parent: Pid | None
    started: float
    ended: float
    messages: int
    spent: float
    orderly: bool
    reason: str


class ExitLog:
    """The most recently ended processes of a runtime."""

    def __init__(self, kept: int = MAX_ENDS_KEPT) -> None:
        self._orderly: deque[Finished | tuple[Process, float]] = deque(maxlen=kept)
        self._others: deque[Finished] = deque(maxlen=kept)
        self._reports: deque[CrashReport] = deque(maxlen=MAX_REPORTS_KEPT)

    def add(self, process: Process, reason: object) -> None:
        """Add a process that has just ended."""
        orderly = is_orderly(reason)
        ended = _finished(process, time.time(), orderly, clip(describe_reason(reason), MAX_REASON_CHARS))
        (self._orderly if orderly else self._others).append(ended)

    def add_alone(self, process: Process) -> None:
        """Add a process that has ended normally. The log keeps the object: it refers to no code of a release."""
        self._orderly.append((process, time.time()))

    def add_report(self, report: CrashReport) -> None:
        """Keep the crash report of a process that ends. A report contains only texts, so it keeps no code alive."""
        self._reports.append(report)

    def report(self, pid: int) -> CrashReport | None:
        """Return the crash report of a process that has ended; None if there is none, or it is no longer kept."""
        return next((one for one in reversed(tuple(self._reports)) if one.pid == pid), None)

    def failures(self) -> list[Finished]:
        """Return the processes whose end was not orderly, the newest last."""
        return list(self._others)

    def newest(self, limit: int) -> list[Finished]:
        """Return at most `limit` ended processes, the newest first, whether their end was orderly or not."""
        orderly = (one if isinstance(one, Finished) else _finished(*one, True, "normal") for one in self._orderly)
        both = sorted((*orderly, *self._others), key=attrgetter("ended"), reverse=True)
        return both[:limit]


def _finished(process: Process, ended: float, orderly: bool, reason: str) -> Finished:
    return Finished(
        process.pid,
        process.name,
        process.kind,
        process.module,
        process.qualname,
        process.parent or None,
        process.started,
        ended,
        process.handled,
        process.busy_seconds(),
        orderly,
        reason,
    )

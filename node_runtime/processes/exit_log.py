"""The log of ended processes and their exit reasons: a bounded number of the newest ones.

Most processes end in order, and their ends say little; a node that spawns one for each request has many of them. So
the ends that were not in order are kept separately, where the orderly ones can't push them out.
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
    from .process import Process

MAX_ENDS_KEPT: Final = 200
"""The number of orderly ends that a runtime remembers, and of the other ends."""
MAX_REASON_CHARS: Final = 300
"""Characters of a reason. It is kept as a text: the reason itself would keep old code and old states alive."""


class Finished(NamedTuple):
    """An ended process and its exit reason as a text. `messages` counts the handled ones; `orderly` means no crash.

    `started` and `ended` are in seconds since the epoch; `spent`, in seconds, is as in ProcessInfo. OTP keeps nothing.
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
    """The newest ends of a runtime's processes."""

    def __init__(self, kept: int = MAX_ENDS_KEPT) -> None:
        self._orderly: deque[Finished] = deque(maxlen=kept)
        self._others: deque[Finished] = deque(maxlen=kept)

    def add(self, process: Process, reason: object) -> None:
        """Add a process that has just ended."""
        orderly = is_orderly(reason)
        ended = Finished(
            process.pid,
            process.name,
            process.kind,
            process.module,
            process.qualname,
            process.parent or None,
            process.started,
            time.time(),
            process.handled,
            process.busy_seconds(),
            orderly,
            clip(describe_reason(reason), MAX_REASON_CHARS),
        )
        (self._orderly if orderly else self._others).append(ended)

    def newest(self, limit: int) -> list[Finished]:
        """Return at most `limit` ends, orderly or not, the newest first."""
        both = sorted((*self._orderly, *self._others), key=attrgetter("ended"), reverse=True)
        return both[:limit]

"""Who has ended, and why: the newest ends, so many and no more.

The ends of most processes are in order and say little, and a node that spawns one for each request has many of them. So
those that were not in order are kept apart, where the others can't push them out.
"""

from __future__ import annotations

import time
from collections import deque
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from node_runtime.protocol.messages import Kind

from .errors import describe_reason, is_orderly
from .pid import Pid

if TYPE_CHECKING:
    from .process import Process

KEPT: Final = 200
"""How many ends of each sort a runtime remembers."""
LONGEST: Final = 300
"""Characters of a reason. It is kept as a text: the reason itself would keep old code and old states alive."""


class Finished(NamedTuple):
    """A process that has ended, and why, in words. `messages` counts what it handled; `orderly` is no crash.

    `started` and `ended` are in seconds since the epoch; `spent`, in seconds, is as in ProcessInfo. OTP keeps nothing.
    """

    pid: Pid
    name: str | None
    kind: Kind
    module: str
    qualname: str
    parent: Pid | None
    started: float
    ended: float
    messages: int
    spent: float
    orderly: bool
    reason: str


class Ends:
    """The newest ends of a runtime's processes."""

    def __init__(self, kept: int = KEPT) -> None:
        self._orderly: deque[Finished] = deque(maxlen=kept)
        self._others: deque[Finished] = deque(maxlen=kept)

    def note(self, process: Process, reason: object) -> None:
        """The process has just ended."""
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
            _said(reason),
        )
        (self._orderly if orderly else self._others).append(ended)

    def newest(self, limit: int) -> list[Finished]:
        """The newest of both sorts, the newest first."""
        both = sorted((*self._orderly, *self._others), key=attrgetter("ended"), reverse=True)
        return both[:limit]


def _said(reason: object) -> str:
    said = describe_reason(reason)
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}…"

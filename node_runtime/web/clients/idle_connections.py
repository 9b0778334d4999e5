"""Closes idle connections without a timer for each response.

uvicorn starts a timer after each response and cancels the timer at the next request. These two steps take longer than
everything else that a listener adds to a request. A listener checks its connections once a second anyway
(`client_limits`). So all connections that become idle within the same second share one deadline.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any, Final


class IdleDeadline:
    """The deadline of an idle connection, instead of a timer; `at` is in seconds of the event loop's clock."""

    __slots__ = ("at",)

    def __init__(self, at: float) -> None:
        self.at: Final = at

    def cancel(self) -> None:
        """Do nothing: after this call, the connection forgets its deadline anyway."""


class IdleDeadlines:
    """The deadlines of a listener's connections.

    A connection may be idle for `seconds` seconds, and at most 2 s longer.
    """

    __slots__ = ("_seconds", "current")

    def __init__(self, seconds: float) -> None:
        self._seconds: Final = seconds
        self.current = IdleDeadline(math.inf)
        """The deadline of the connections that become idle now. It is never reached before the first `tick`."""

    def tick(self, now: float) -> None:
        """Begin a new second: `now` is its time on the event loop's clock."""
        self.current = IdleDeadline(now + 1.0 + self._seconds)


class ConnectionLoop:
    """Replaces the event loop for uvicorn's connections; its `call_later` starts no timer."""

    __slots__ = ("_deadlines", "_loop", "create_task")

    def __init__(self, loop: asyncio.AbstractEventLoop, deadlines: IdleDeadlines) -> None:
        self._loop: Final = loop
        self.create_task: Final = loop.create_task
        self._deadlines: Final = deadlines

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def call_later(self, seconds: float, callback: Callable[..., Any]) -> IdleDeadline:
        """Return the deadline of a connection that is idle now; uvicorn calls this for nothing else."""
        return self._deadlines.current


def end_idle(connection: Any, now: float) -> None:
    """Close a connection whose client has sent no further request in time. This is not logged, because it is not an
    error.
    """
    deadline = getattr(connection, "timeout_keep_alive_task", None)
    if isinstance(deadline, IdleDeadline) and now > deadline.at:
        connection.timeout_keep_alive_handler()

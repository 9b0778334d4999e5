"""The time between an install and its commit. When it is over, the node goes back by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from node_runtime.processes.runtime import runtime

RETRY = 10.0


class Probation:
    """A deadline in Unix seconds, `until`, at which `over` is called; a probation of 0 seconds has none."""

    def __init__(self, over: Callable[[], None]) -> None:
        self.until: float | None = None
        self._over = over
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, seconds: float) -> None:
        """Start the clock."""
        self.end()
        if seconds > 0:
            self.until = time.time() + seconds
            self._timer = runtime().loop.call_later(seconds, self._over)

    def end(self) -> None:
        """Committed, reverted or replaced: nothing happens any more."""
        self.until = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def again(self) -> None:
        """An operation has ended. If the deadline passed meanwhile and the release is still there, try again."""
        if self.until is not None and time.time() >= self.until:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = runtime().loop.call_later(RETRY, self._over)

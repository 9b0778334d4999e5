"""The time between an install and its commit. When it is over, or health is bad, the node goes back by itself."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from node_runtime.processes.runtime import runtime
from node_runtime.protocol.messages import Health

from .files.schemas import Probation as Limits
from .health import Watching

logger: Final = logging.getLogger("node_runtime")

RETRY: Final = 10.0
"""Seconds between two attempts to go back."""
PATIENCE: Final = 60.0
"""Seconds for which each attempt waits for a safe moment."""
ATTEMPTS: Final = 3
"""Failed attempts after which nothing but a restart goes back."""


class Probation:
    """Watches what was installed until it is committed, reverted or replaced.

    `go_back(why)` begins the way back, and `restart(why)` is the last resort; `whole` blocks, and tells what
    would boot then; `tell` hears how the release does.
    A deadline of 0 seconds never comes.
    """

    def __init__(
        self,
        go_back: Callable[[str], None],
        restart: Callable[[str], None],
        whole: Callable[[], list[str]],
        tell: Callable[[Health], None],
    ) -> None:
        self.until: float | None = None
        self._go_back = go_back
        self._restart = restart
        self._whole = whole
        self._tell = tell
        self._watching: Watching | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._why: str | None = None
        self._failed = 0
        self._asking: asyncio.Task[None] | None = None

    @property
    def health(self) -> Health | None:
        """How the release does that is on probation."""
        return None if self._watching is None else self._watching.health

    def begin(self, limits: Limits) -> None:
        """Start the clock, and watch."""
        self.end()
        self._watching = Watching(limits, self._found)
        if limits.deadline > 0:
            self.until = time.time() + limits.deadline
            self._later(limits.deadline, "it was not committed in time")

    def end(self) -> None:
        """Committed, reverted or replaced: nothing happens any more."""
        self.until = self._why = None
        self._failed = 0
        while self._timers:
            self._timers.pop().cancel()
        if self._watching is not None:
            self._watching.end()
            self._watching = None

    def ended(self, *, tried: bool) -> None:
        """An operation has ended and the release is still here. If it should go back, try, or try again later."""
        if self._why is None:
            return
        self._failed += tried
        if self._failed >= ATTEMPTS:
            self.restart(self._why)
        else:
            self._later(RETRY if tried else 0.0, self._why)

    def restart(self, why: str) -> None:
        """The last resort, unless nothing is whole that would boot: then the release that runs goes on serving."""
        self._asking = runtime().loop.create_task(self._restart_into_something(why))

    async def _restart_into_something(self, why: str) -> None:
        whole = await asyncio.to_thread(self._whole)
        if self._why is None:
            return  # it was committed meanwhile
        if whole:
            self._restart(why)
        else:
            logger.critical("the node stays as it is, since nothing else would boot: %s", why)
            self._later(RETRY, self._why)

    def _found(self, health: Health) -> None:
        if health.verdict == "bad" and self._why is None:
            self._begin(health.finding)
        self._tell(health)

    def _later(self, seconds: float, why: str) -> None:
        self._timers.append(runtime().loop.call_later(seconds, self._begin, why))

    def _begin(self, why: str) -> None:
        self._why = self._why or why
        self._go_back(self._why)

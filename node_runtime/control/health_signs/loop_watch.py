"""Watches whether the event loop answers, and reports each time that it was blocked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

BLOCKED_SECONDS: Final = 1.0
"""The event loop counts as blocked if a callback waits for it for this many seconds."""


class LoopWatch:
    """Sends test callbacks to `loop`. `where()` returns the code that the loop's thread executes.

    Only the control thread may call the methods.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, where: Callable[[], str]) -> None:
        self._loop = loop
        self._where = where
        self._asked_at: float | None = None
        self._lag = 0.0
        self._place = ""
        self._report = ""

    def lag(self) -> float:
        """Return how long the last test callback waited for the loop, or has waited so far if it still waits."""
        if self._asked_at is not None:
            waited = time.monotonic() - self._asked_at
            if waited >= BLOCKED_SECONDS:
                self._place = self._where()
            return waited
        self._end_block()
        self._asked_at = asked_at = time.monotonic()

        def on_loop() -> None:
            self._lag = time.monotonic() - asked_at
            self._asked_at = None

        try:
            self._loop.call_soon_threadsafe(on_loop)
        except RuntimeError:
            self._asked_at = None  # the loop has ended, and this thread will end too
        return self._lag

    def blocked_in(self) -> str:
        """Return the code that blocks the loop now; empty if the loop is not blocked."""
        return self._place if self._asked_at is not None else ""

    def take_report(self) -> str:
        """Return a sentence about a block of the loop that has ended since the last call; "" if no block has ended."""
        if self._asked_at is None:
            self._end_block()
        report, self._report = self._report, ""
        return report

    def _end_block(self) -> None:
        """Store the report about a blocking of the loop, before the next test callback overwrites its duration."""
        if self._place:
            self._report = f"the event loop was blocked for {self._lag:.1f} s at {self._place}"
            self._place = ""

"""Divides long work on the event loop into slices, between which the callbacks of the application run."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Final

IDLE_TURN_SECONDS: Final = 0.0001
"""A turn of the event loop that takes less than this had nothing else to do."""
MAX_SHARE_OF_OTHERS: Final = 10.0
"""After a slice, other callbacks get at most so many times the duration of the slice, even if the loop is never idle.
"""


class LoopSlices:
    """The slices of long work on the event loop, each of about `seconds` seconds.

    Between two slices, the event loop runs until it has nothing else to do. If the work and the requests of a busy
    application only took turns, the whole work would delay the requests, because a loop that is busy for most of the
    time can't catch up. A loop that is never idle leaves the work a tenth of its time.
    """

    __slots__ = ("_began", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began = perf_counter()

    @property
    def is_over(self) -> bool:
        """Return whether the present slice has taken its time; then `give_way` should be awaited."""
        return perf_counter() - self._began > self._seconds

    async def give_way(self) -> None:
        """Let other callbacks run, and begin the next slice."""
        turn = perf_counter()
        until = turn + (turn - self._began) * MAX_SHARE_OF_OTHERS
        while True:
            await asyncio.sleep(0)
            now = perf_counter()
            if now - turn < IDLE_TURN_SECONDS or now > until:
                break
            turn = now
        self._began = now

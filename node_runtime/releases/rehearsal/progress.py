"""Progress reports of rehearsals, for listeners on the event loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from .rehearse import ProgressCallback

REPORT_INTERVAL_SECONDS: Final = 0.5
"""The minimum number of seconds between two reports of one rehearsal."""

ProgressListener = Callable[[str, int, int], None]
"""A function that gets the target release, and the numbers of processes rehearsed so far and to rehearse in all."""


class RehearsalProgress:
    """The listeners to the progress of the node's rehearsals."""

    def __init__(self) -> None:
        self._listeners: list[ProgressListener] = []

    def subscribe(self, listener: ProgressListener) -> Callable[[], None]:
        """Call `listener` on the event loop during rehearsals; return the function that unsubscribes it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def callback(self, vsn: str) -> ProgressCallback:
        """Return the progress callback for a rehearsal of the transition to `vsn`."""
        last, reported = time.monotonic(), (-1, -1)

        def on_progress(done: int, total: int) -> None:
            nonlocal last, reported
            now = time.monotonic()
            due = now - last > REPORT_INTERVAL_SECONDS or done == total
            if total and reported != (done, total) and due:
                last, reported = now, (done, total)
                for listener in tuple(self._listeners):
                    listener(vsn, done, total)

        return on_progress

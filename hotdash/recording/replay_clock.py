"""The clock of a replay: the time in the recording, which can be paused, moved and made faster."""

from __future__ import annotations

import time
from collections.abc import Callable

SPEEDS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 50.0)
"""The speeds of a replay, as factors."""


class ReplayClock:
    """A clock that shows the Unix time `first` at the start, and stops at `last`."""

    def __init__(self, first: float, last: float, source: Callable[[], float] = time.monotonic) -> None:
        self.first = first
        self.last = last
        self.paused = False
        self.speed = 1.0
        self._source = source
        self._shown = first
        self._set_at = source()

    def time(self) -> float:
        """Return the time in the recording."""
        if self.paused:
            return self._shown
        return min(self.last, self._shown + (self._source() - self._set_at) * self.speed)

    @property
    def at_end(self) -> bool:
        """Whether the recording is at its end."""
        return self.time() >= self.last

    def move_to(self, at: float) -> None:
        """Show the time `at`, or the nearest time of the recording."""
        self._shown = max(self.first, min(at, self.last))
        self._set_at = self._source()

    def toggle_pause(self) -> None:
        """Pause, or continue."""
        self.move_to(self.time())
        self.paused = not self.paused

    def change_speed(self, steps: int) -> None:
        """Increase the speed by `steps` steps; a negative number decreases it."""
        self.move_to(self.time())
        index = SPEEDS.index(self.speed) + steps
        self.speed = SPEEDS[max(0, min(index, len(SPEEDS) - 1))]

"""An allowance that refills steadily, so that a rate may be exceeded for a short time but not for long."""

from __future__ import annotations


class Allowance:
    """An allowance of `rate` units per second; unused units are saved for at most `burst_seconds`."""

    __slots__ = ("_level", "_max", "_rate", "_updated")

    def __init__(self, rate: float, burst_seconds: float) -> None:
        self._rate = rate
        self._max = self._level = rate * burst_seconds
        self._updated = 0.0

    def spend(self, units: int, now: float) -> bool:
        """Spend `units` at the time `now`, in seconds; return False if the allowance is exceeded."""
        self._level = min(self._max, self._level + (now - self._updated) * self._rate) - units
        self._updated = now
        return self._level >= 0

"""A token bucket: a rate that may be exceeded for a short time but not for long."""

from __future__ import annotations

from typing import NamedTuple


class Refill(NamedTuple):
    """The tokens that a bucket gets per second, and the tokens that it holds at most."""

    per_second: float
    size: float


class TokenBucket:
    """A bucket that is full at first. The bucket may owe tokens: then nothing can be taken until it is refilled.

    `now` is the time in seconds, always of the same clock.
    """

    __slots__ = ("_level", "_refill", "_updated")

    def __init__(self, refill: Refill, now: float = 0.0) -> None:
        self._refill = refill
        self._level = refill.size
        self._updated = now

    def wait(self, cost: float, now: float) -> float:
        """Return the seconds until `cost` tokens can be taken; 0 if they can be taken now.

        A cost above the size of the bucket can be taken when the bucket is full.
        """
        self._level = min(self._refill.size, self._level + (now - self._updated) * self._refill.per_second)
        self._updated = now
        return max(0.0, (min(cost, self._refill.size) - self._level) / self._refill.per_second)

    def take(self, cost: float) -> None:
        """Take `cost` tokens, even if the bucket then owes some."""
        self._level -= cost

    def spend(self, cost: float, now: float) -> bool:
        """Take `cost` tokens for what has happened already; return False if the bucket then owes some."""
        self.wait(cost, now)
        self.take(cost)
        return self._level >= 0

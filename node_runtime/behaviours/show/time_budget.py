"""A time limit for reading the parts of a state. It counts the CPU time of the thread, not of other programs."""

from __future__ import annotations

from time import perf_counter, thread_time


class TimeBudget:
    """A limit of `seconds` of CPU time from now on. `is_spent` is cheap: most calls don't read the CPU clock."""

    __slots__ = ("_next_check", "_until")

    def __init__(self, seconds: float) -> None:
        self._until = thread_time() + seconds
        self._next_check = perf_counter() + seconds

    def is_spent(self) -> bool:
        """Return whether the budget is spent."""
        now = perf_counter()
        if now <= self._next_check:
            return False
        left = self._until - thread_time()
        self._next_check = now + left
        return left <= 0

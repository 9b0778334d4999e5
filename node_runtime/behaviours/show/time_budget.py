"""How long a walk through a state may take: time of its own thread, whatever else the machine has to do."""

from __future__ import annotations

from time import perf_counter, thread_time


class Budget:
    """`seconds` of work from now on. `is_over` costs little, since it asks the cheap clock first."""

    __slots__ = ("_look", "_until")

    def __init__(self, seconds: float) -> None:
        self._until = thread_time() + seconds
        self._look = perf_counter() + seconds

    def is_over(self) -> bool:
        """Whether all of it is spent."""
        now = perf_counter()
        if now <= self._look:
            return False
        left = self._until - thread_time()
        self._look = now + left
        return left <= 0

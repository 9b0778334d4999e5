"""How far rehearsals are, for those who want to know."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from .rehearse import Hear

EVERY: Final = 0.5
"""Seconds between two words about one rehearsal."""

Listener = Callable[[str, int, int], None]
"""Is told the release, how many processes have been rehearsed, and of how many."""


class News:
    """The listeners of a node."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have it told now and then, on the event loop; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def of(self, vsn: str) -> Hear:
        """What the rehearsal of a way to `vsn` tells."""
        last, told = time.monotonic(), (-1, -1)

        def hear(done: int, of: int) -> None:
            nonlocal last, told
            now = time.monotonic()
            if of and told != (done, of) and (now - last > EVERY or done == of):
                last, told = now, (done, of)
                for listener in tuple(self._listeners):
                    listener(vsn, done, of)

        return hear

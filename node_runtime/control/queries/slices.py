"""Divides long work on the event loop into slices of a few milliseconds, between which other callbacks run."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator, Iterable, Iterator
from time import monotonic, thread_time
from typing import Any, Final, TypeVar

T = TypeVar("T")

SLICE_SECONDS: Final = 0.002
"""Seconds for which work may occupy the event loop before it yields."""
CHECKED_ITEMS: Final = 64
"""The clock is read once for this many items, unless they cost much."""
SORTED_RUN: Final = 1000
"""The number of items that are sorted without a pause."""
MAX_SHARE: Final = 0.01
"""The maximum share of a core for the work that is repeated for one question."""


class SliceClock:
    """Measures the time of a slice, and says when the work has to yield to the event loop."""

    def __init__(self) -> None:
        self._until = monotonic() + SLICE_SECONDS

    def due(self) -> bool:
        """Return whether to yield now; after that, a new slice begins."""
        if (now := monotonic()) < self._until:
            return False
        self._until = now + SLICE_SECONDS
        return True


def sliced(items: Iterable[T], every: int = CHECKED_ITEMS) -> Iterator[tuple[T, bool]]:
    """Yield each item, and whether the caller has to yield to the event loop before it handles the item.

    The clock is read before each item whose number is a multiple of `every`.
    """
    until = monotonic() + SLICE_SECONDS
    for number, item in enumerate(items):
        due = number % every == 0 and monotonic() >= until
        yield item, due
        if due:
            until = monotonic() + SLICE_SECONDS


def sort_in_slices(items: list[T], key: Callable[[T], Any]) -> Generator[None, None, list[T]]:
    """Return the items in order, smallest key first; items with equal keys keep their order."""
    if len(items) <= SORTED_RUN:
        return sorted(items, key=key)
    runs: list[list[tuple[Any, int, T]]] = []
    for begin in range(0, len(items), SORTED_RUN):
        runs.append(sorted((key(item), begin + n, item) for n, item in enumerate(items[begin : begin + SORTED_RUN])))
        yield
    merged: list[T] = []
    for (_, _, item), due in sliced(heapq.merge(*runs)):
        if due:
            yield
        merged.append(item)
    return merged


class Repetition:
    """Decides when work may be repeated, so that the work takes at most the share MAX_SHARE of the time."""

    def __init__(self) -> None:
        self._due = 0.0
        self.done_at = 0.0

    @property
    def due(self) -> bool:
        """Whether the work may be done again."""
        return monotonic() >= self._due

    @property
    def age(self) -> float:
        """Seconds since the work was done."""
        return monotonic() - self.done_at

    def run(self, slices: Generator[None, None, T]) -> Generator[None, None, T]:
        """Run `slices` to its end, yield wherever it yields, and measure the time that it takes."""
        spent = 0.0
        while True:
            began = thread_time()
            try:
                next(slices)
            except StopIteration as last:
                spent += thread_time() - began
                self.done_at = monotonic()
                self._due = self.done_at + spent / MAX_SHARE
                result: T = last.value
                return result
            spent += thread_time() - began
            yield

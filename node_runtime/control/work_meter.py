"""A meter for the processor time that one request takes, in whichever threads its parts run."""

from __future__ import annotations

from collections.abc import Callable, Generator
from time import thread_time
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class WorkMeter:
    """Adds up the time of the parts of a request in `seconds`. Awaited parts of an async handler don't count."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `work`, and add its time."""
        began = thread_time()
        try:
            return work(*args, **kwargs)
        finally:
            self.seconds += thread_time() - began

    def run_slices(self, slices: Generator[None, None, T]) -> Generator[None, None, T]:
        """Run a generator, and add the time of each of its slices, but not the time between them."""
        while True:
            try:
                self.run(next, slices)
            except StopIteration as last:
                result: T = last.value
                return result
            yield

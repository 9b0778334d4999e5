"""Measures the processor time of one request, in all threads that work on the request."""

from __future__ import annotations

from collections.abc import Callable, Generator
from time import thread_time
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class WorkMeter:
    """Adds up, in `seconds`, the processor time of the code that it has run for a request. Waits don't count."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `work(*args, **kwargs)`, add the processor time of the call to `seconds`, and return the result."""
        began = thread_time()
        try:
            return work(*args, **kwargs)
        finally:
            self.seconds += thread_time() - began

    def start(self, work: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> Any:
        """Call `work(*args, **kwargs)` as `run` does. If the result is a generator, return a generator that measures
        its steps.
        """
        result = self.run(work, *args, **kwargs)
        return self.run_slices(result) if isinstance(result, Generator) else result

    def run_slices(self, slices: Generator[None, None, T]) -> Generator[None, None, T]:
        """Run a generator, and return its result. Only the time of its steps counts, not the time between two steps."""
        while True:
            try:
                self.run(next, slices)
            except StopIteration as last:
                result: T = last.value
                return result
            yield

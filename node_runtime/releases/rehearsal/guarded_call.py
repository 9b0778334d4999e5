"""Guarded calls of user code in the copy of the node: sandboxed, limited in time, and summed up in a verdict."""

from __future__ import annotations

import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from node_runtime.behaviours.show.value_readers import escape
from node_runtime.protocol.messages import RehearsalOutcome

from .forked import ProgressMarker, RehearsalLimits
from .sandbox import NotRehearsable, Sandbox

TIMER_INTERVAL_SECONDS: Final = 0.05
"""Seconds between two checks of the time limit; code that swallows an interruption is interrupted again."""
MAX_FRAMES: Final = 4
"""A verdict contains at most this many of the innermost frames of an error."""
_OWN_FOLDER: Final = str(Path(__file__).parent)


class TimeLimitExceeded(BaseException):
    """The guarded code has run longer than its time limit."""


class WrongResult(Exception):
    """The guarded code returned something that a switch could not use."""

    def __init__(self, outcome: RehearsalOutcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.message = message


RENDER_ERRORS: Final = (Exception, TimeLimitExceeded, NotRehearsable)
"""The errors that rendering a value can raise, because a value may run user code."""


@dataclass(slots=True, kw_only=True)
class CallVerdict:
    """The outcome of one guarded call."""

    outcome: RehearsalOutcome = "ok"
    message: str | None = None
    trace: tuple[str, ...] = ()

    def record(self, outcome: RehearsalOutcome, message: str, trace: tuple[str, ...] = ()) -> None:
        """Replace the verdict by an outcome other than "ok"."""
        self.outcome, self.message, self.trace = outcome, message, trace


class GuardedCaller:
    """Makes guarded calls, one after the other. Created once, in the copy of the node."""

    def __init__(self, limits: RehearsalLimits, marker: ProgressMarker) -> None:
        self._limits = limits
        self._marker = marker
        self._running = False
        self._started = 0.0
        signal.signal(signal.SIGALRM, self._check_time)
        signal.setitimer(signal.ITIMER_REAL, TIMER_INTERVAL_SECONDS, TIMER_INTERVAL_SECONDS)
        self.sandbox = Sandbox()

    def call(self, verdict: CallVerdict, what: str, work: Callable[[], object]) -> bool:
        """Call `work`, which messages call `what`. Return whether it exceeded its time limit and was interrupted."""
        late = False
        try:
            with self._time_limited():
                work()
        except WrongResult as wrong:
            verdict.record(wrong.outcome, wrong.message)
        except TimeLimitExceeded:
            late = True
            verdict.record("hung", f"{what} has not ended within {self._limits.call_seconds:g} s")
        except MemoryError:
            limit = self._limits.memory_bytes >> 20
            verdict.record("raised", f"{what} needs more than {limit} MiB on top of the node's memory")
        except BaseException as error:
            verdict.record("raised", f"{what} raised {self._describe(error)}", _trace(error))
        if (violation := self.sandbox.take_violation()) is not None:
            verdict.record("unrehearsed", f"{what} {violation}, which can't be rehearsed", verdict.trace)
        return late

    @contextmanager
    def ignoring_violations(self) -> Iterator[None]:
        """Guard the code inside too, but don't count its blocked accesses against the code that is rehearsed."""
        before = self.sandbox.violation
        try:
            with self._time_limited():
                yield
        finally:
            self.sandbox.violation = before

    @contextmanager
    def _time_limited(self) -> Iterator[None]:
        """Interrupt the code inside when it exceeds its time limit, and again if it swallows the interruption."""
        with self.sandbox:
            self._marker.begin()
            self._started = time.monotonic()
            self._running = True
            try:
                yield
            finally:
                self._running = False

    def _check_time(self, number: int, frame: FrameType | None) -> None:
        if self._running and time.monotonic() - self._started > self._limits.call_seconds:
            raise TimeLimitExceeded

    def _describe(self, error: BaseException) -> str:
        kind = type(error).__name__
        try:
            with self.ignoring_violations():
                return escape(f"{kind}: {error}"[:500])
        except RENDER_ERRORS:
            return kind


def _trace(error: BaseException) -> tuple[str, ...]:
    """Return the innermost frames of the code that raised, with their source lines."""
    every = traceback.extract_tb(error.__traceback__)
    frames = [frame for frame in every if not frame.filename.startswith(_OWN_FOLDER)][-MAX_FRAMES:]
    return tuple(escape(f"{frame.filename}:{frame.lineno} {frame.name}: {frame.line}"[:300]) for frame in frames)

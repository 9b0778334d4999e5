"""Guarded calls of user code in the copy of the node: each runs in a sandbox with a time limit and gives a verdict."""

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

from node_runtime.processes.exit_reasons import describe_reason
from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.protocol.messages import RehearsalOutcome

from .forked import ProgressMarker, RehearsalLimits
from .held_locks import HELD_LOCK, waits_for_held_lock
from .sandbox import NotRehearsable, Sandbox

TIMER_INTERVAL_SECONDS: Final = 0.05
"""Code that catches the interruption after its time limit is interrupted again after so many seconds.

Before the limit, no timer runs: its signal would, for example, end a call of the C library's `sleep` early.
"""
MAX_FRAMES: Final = 4
"""A verdict's trace contains at most this many of the innermost frames of an error."""
_OWN_FOLDER: Final = str(Path(__file__).parent)


class TimeLimitExceeded(BaseException):
    """Interrupts guarded code that has exceeded its time limit."""


class WrongResult(Exception):
    """The guarded code returned a value that an install can't use.

    `remedy` is None if the remedy is the same for every failure with this `outcome`.
    """

    def __init__(self, outcome: RehearsalOutcome, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.message = message
        self.remedy = remedy


RENDER_ERRORS: Final = (Exception, TimeLimitExceeded, NotRehearsable)
"""The errors that rendering a value can raise, because it may call user code such as `__repr__`."""


@dataclass(slots=True, kw_only=True)
class CallVerdict:
    """The outcome of one guarded call. `message` and `trace` describe an outcome other than "ok"."""

    outcome: RehearsalOutcome = "ok"
    message: str | None = None
    trace: tuple[str, ...] = ()
    remedy: str | None = None

    def record(
        self, outcome: RehearsalOutcome, message: str, trace: tuple[str, ...] = (), remedy: str | None = None
    ) -> None:
        """Replace the verdict by an outcome other than "ok"."""
        self.outcome, self.message, self.trace, self.remedy = outcome, message, trace, remedy


class GuardedCaller:
    """Makes guarded calls, one after the other. Created once, in the copy of the node."""

    def __init__(self, limits: RehearsalLimits, marker: ProgressMarker) -> None:
        self._limits = limits
        self._marker = marker
        self._running = False
        self._started = self._started_cpu = 0.0
        self._seconds = self._longest = limits.call_seconds
        signal.signal(signal.SIGALRM, self._interrupt)
        self._set_timer = signal.setitimer  # the sandbox replaces it
        self.sandbox = Sandbox()

    def call(
        self,
        verdict: CallVerdict,
        what: str,
        work: Callable[[], object],
        seconds: float | None = None,
        *,
        longest: float | None = None,
    ) -> None:
        """Call `work` and record its outcome in `verdict`.

        `what` is the subject of the messages, such as "its code_change". `seconds` is the time limit; the default is
        the limit for one call of a user's function. With `longest`, `seconds` limits only the processor time, and
        `longest` (at least `seconds`) limits the time by the clock. So a busy machine does not cut the call short.
        """
        limit, began = self._limits.call_seconds if seconds is None else seconds, time.process_time()
        try:
            with self._time_limited(limit, longest):
                work()
            if self._is_late():
                raise TimeLimitExceeded  # the code swallowed the interruption
        except WrongResult as wrong:
            verdict.record(wrong.outcome, wrong.message, remedy=wrong.remedy)
        except TimeLimitExceeded as late:
            verdict.record("hung", f"{what} has not ended within {limit:g} s")
            if time.process_time() - began < limit / 2 and waits_for_held_lock(late, _OWN_FOLDER):
                verdict.record("unrehearsed", f"{verdict.message}, because it waits {HELD_LOCK}")
        except MemoryError:
            limit = self._limits.memory_bytes >> 20
            verdict.record("raised", f"{what} needs more than {limit} MiB on top of the node's memory")
        except BaseException as error:
            verdict.record("raised", f"{what} raised {self._describe(error)}", _trace(error))
        if (violation := self.sandbox.take_violation()) is not None:
            verdict.record("unrehearsed", f"{what} {violation}, which can't be rehearsed", verdict.trace)

    @contextmanager
    def ignoring_violations(self) -> Iterator[None]:
        """Run the block in the sandbox, with a time limit. Accesses to the node are blocked, but not recorded."""
        before = self.sandbox.violation
        try:
            with self._time_limited(self._limits.call_seconds):
                yield
        finally:
            self.sandbox.violation = before

    @contextmanager
    def _time_limited(self, seconds: float, longest: float | None = None) -> Iterator[None]:
        """Run the block in the sandbox. Raise TimeLimitExceeded in the block when it exceeds its time limit."""
        with self.sandbox:
            self._marker.begin()
            self._seconds, self._longest = seconds, seconds if longest is None else longest
            self._started, self._started_cpu = time.monotonic(), time.process_time()
            self._running = True
            self._set_timer(signal.ITIMER_REAL, seconds, TIMER_INTERVAL_SECONDS)
            try:
                yield
            finally:
                self._running = False
                self._set_timer(signal.ITIMER_REAL, 0)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._running and self._is_late():
            raise TimeLimitExceeded

    def _is_late(self) -> bool:
        passed = time.monotonic() - self._started
        if passed < self._longest:
            return passed >= self._seconds and time.process_time() - self._started_cpu >= self._seconds
        return True

    def _describe(self, error: BaseException) -> str:
        try:
            with self.ignoring_violations():
                return shown(describe_reason(error))[:500]
        except RENDER_ERRORS:
            return type(error).__name__


def _trace(error: BaseException) -> tuple[str, ...]:
    """Return the innermost frames of the code that raised, with their source lines."""
    every = traceback.extract_tb(error.__traceback__)
    frames = [frame for frame in every if not frame.filename.startswith(_OWN_FOLDER)][-MAX_FRAMES:]
    return tuple(shown(f"{frame.filename}:{frame.lineno} {frame.name}: {frame.line}")[:300] for frame in frames)

"""One piece of somebody's code, run in the copy of the node: behind the fence, within its time, and told in words."""

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

from .forked import Bounds, Place
from .sandbox import Fence, NotRehearsable

TICK: Final = 0.05
"""Seconds between two looks at the clock, and until code that swallows its interruption is interrupted again."""
FRAMES: Final = 4
"""How many of the innermost frames of an error are told."""
_HERE: Final = str(Path(__file__).parent)


class TooLong(BaseException):
    """What runs has had its time."""


class Wrong(Exception):
    """What was returned is not what it has to be."""

    def __init__(self, outcome: RehearsalOutcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.message = message


UNSHOWN: Final = (Exception, TooLong, NotRehearsable)
"""What may come of showing something that has code of its own."""


@dataclass(slots=True, kw_only=True)
class Verdict:
    """How a piece of code went."""

    outcome: RehearsalOutcome = "ok"
    message: str | None = None
    trace: tuple[str, ...] = ()

    def went(self, outcome: RehearsalOutcome, message: str, trace: tuple[str, ...] = ()) -> None:
        """It went otherwise than well."""
        self.outcome, self.message, self.trace = outcome, message, trace


class Trial:
    """Runs one piece of code after the other. To be made once, in the copy."""

    def __init__(self, bounds: Bounds, place: Place) -> None:
        self._bounds = bounds
        self._place = place
        self._armed = False
        self._since = 0.0
        signal.signal(signal.SIGALRM, self._too_long)
        signal.setitimer(signal.ITIMER_REAL, TICK, TICK)
        self.fence = Fence()

    def run(self, verdict: Verdict, what: str, work: Callable[[], object]) -> bool:
        """Run `work`, which is `what` in a sentence. Returns whether it had its time and was interrupted."""
        late = False
        try:
            with self._bounded():
                work()
        except Wrong as wrong:
            verdict.went(wrong.outcome, wrong.message)
        except TooLong:
            late = True
            verdict.went("hung", f"{what} has not ended within {self._bounds.each:g} s")
        except MemoryError:
            verdict.went("raised", f"{what} needs more than {self._bounds.memory >> 20} MiB beyond what the node has")
        except BaseException as error:
            verdict.went("raised", f"{what} raised {self._words(error)}", _trace(error))
        if (touched := self.fence.take()) is not None:
            verdict.went("unrehearsed", f"{what} {touched}, which a rehearsal can't let it do", verdict.trace)
        return late

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What runs inside is bounded as well, but what it touches says nothing of the code that is tried."""
        before = self.fence.touched
        try:
            with self._bounded():
                yield
        finally:
            self.fence.touched = before

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        """Interrupted when it takes too long, again and again."""
        with self.fence:
            self._place.begin()
            self._since = time.monotonic()
            self._armed = True
            try:
                yield
            finally:
                self._armed = False

    def _too_long(self, number: int, frame: FrameType | None) -> None:
        if self._armed and time.monotonic() - self._since > self._bounds.each:
            raise TooLong

    def _words(self, error: BaseException) -> str:
        kind = type(error).__name__
        try:
            with self.aside():
                return escape(f"{kind}: {error}"[:500])
        except UNSHOWN:
            return kind


def _trace(error: BaseException) -> tuple[str, ...]:
    """The innermost frames of the code that raised, with their lines."""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if not one.filename.startswith(_HERE)]
    return tuple(escape(f"{one.filename}:{one.lineno} {one.name}: {one.line}"[:300]) for one in frames[-FRAMES:])

"""Limits the time for which the bodies of new modules may stop the event loop.

The bodies were executed in a copy of the node before. So a body can hang here only if it did not hang in the copy, or
if an operator has consented to an install that could not be rehearsed.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

INTERVAL_SECONDS: Final = 0.05
"""A body that catches the interruption is interrupted again after so many seconds."""


class BodyTooSlow(BaseException):
    """Interrupts a body that has not ended in time. `except Exception` does not catch this error."""


@contextmanager
def body_time_limit(seconds: float) -> Iterator[None]:
    """Raise BodyTooSlow in the `with` block after `seconds`.

    This has no effect outside the main thread, or if the program uses the signal SIGALRM or its timer. C code that does
    not return is not interrupted. Then the parent process restarts the node, as it does for any callback that blocks
    too long.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL
        or signal.getitimer(signal.ITIMER_REAL) != (0.0, 0.0)
    ):
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise BodyTooSlow(f"the bodies of the new modules have not ended within {seconds:g} s")

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, INTERVAL_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

"""Settings of the interpreter inside a `with` block: the garbage collector, and how often threads take turns."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

THREAD_SWITCH_SECONDS: Final = 0.0002


@contextmanager
def short_thread_switches() -> Iterator[None]:
    """Shorten Python's thread switch interval (default 5 ms), so that a busy thread delays the event loop less."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(min(interval, THREAD_SWITCH_SECONDS))
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause the garbage collector in the block. A collection would free nothing, because the new states stay alive.

    At the end, all objects are moved to the oldest generation, so that collections of young objects do not visit them.
    If the program has called gc.freeze itself, nothing is moved.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            if not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()

"""A pause of Python's garbage collector while the dashboard starts.

A start makes many lasting objects and hardly any garbage, so each collection would search all of them for nothing:
a sixth of the time until the first picture.
"""

from __future__ import annotations

import gc
from typing import Final

PAUSE_SECONDS: Final = 2.0
"""Seconds after which the dashboard ends the pause, counted from its first picture."""


def begin_pause() -> None:
    """Collect nothing until `end_pause`."""
    gc.disable()


def end_pause() -> None:
    """Collect again, but exempt what exists now, because nearly all of it stays. Without a pause, do nothing."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()

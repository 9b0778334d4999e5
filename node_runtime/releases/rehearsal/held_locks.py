"""Finds out whether interrupted code in the copy of the node waited for a lock of a thread that only the node has.

The code was interrupted because it exceeded its time limit. In the node, the thread would release the lock. The copy
has no other threads, so nothing releases a lock that was held at the fork. A lock that the interrupted code itself took
by `with` isn't found: the interruption has already released it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any, Final

from node_runtime.behaviours.show.fingerprint import fingerprint

HELD_LOCK: Final = "for a lock that a thread of the node held at the fork, and that nothing releases in the copy"
SEARCH_SECONDS: Final = 0.5
SEARCH_MAX_PARTS: Final = 50_000


def waits_for_held_lock(late: BaseException, ignored_folder: str) -> bool:
    """Return whether the interrupted code mentions a lock that is still held.

    `late` is the error that has interrupted the code. Only its innermost frame outside `ignored_folder` is examined.
    """
    frame = _innermost(late.__traceback__, ignored_folder)
    if frame is None:
        return False
    found = fingerprint(tuple(_mentioned(frame)), seconds=SEARCH_SECONDS, max_parts=SEARCH_MAX_PARTS, alone=True)
    return found is not None and found.held


def _innermost(step: TracebackType | None, ignored_folder: str) -> FrameType | None:
    frame = None
    while step is not None:
        if not step.tb_frame.f_code.co_filename.startswith(ignored_folder):
            frame = step.tb_frame
        step = step.tb_next
    return frame


def _mentioned(frame: FrameType) -> Iterator[Any]:
    """Yield the values of the variables that a frame's code may use, and of their attributes that the code names."""
    names = frame.f_code.co_names
    values = [*frame.f_locals.values(), *(frame.f_globals[name] for name in names if name in frame.f_globals)]
    for value in values:
        yield value
        for name in names:
            try:
                yield inspect.getattr_static(value, name)
            except AttributeError:
                continue

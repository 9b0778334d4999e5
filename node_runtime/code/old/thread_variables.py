"""The variables of the functions that other OS threads run, which neither a copy of the node nor the collector sees."""

from __future__ import annotations

import sys
import threading
from collections.abc import Collection
from dataclasses import dataclass
from inspect import CO_OPTIMIZED
from types import FrameType
from typing import Any, Final

_OWN_PACKAGE: Final = "node_runtime."


@dataclass(frozen=True, slots=True)
class ThreadVariables:
    """The name of a thread, and the objects to which the variables of the functions that it runs refer."""

    thread: str
    values: list[Any]


def thread_variables(without: Collection[int] = ()) -> list[ThreadVariables]:
    """Return the variables of each other thread, except those of the runtime's own functions.

    `without` has the idents of threads to leave out. Called in the node, because its copy has no other threads.
    """
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames: dict[int, Any] = sys._current_frames()
    for ident in (threading.get_ident(), *without):
        frames.pop(ident, None)
    found = []
    while frames:  # no variable may refer to a frame for longer than this takes
        ident, frame = frames.popitem()
        values: list[Any] = []
        while frame is not None:
            values += _variables(frame)
            frame = frame.f_back
        found.append(ThreadVariables(names.get(ident, str(ident)), values))
    return found


def _variables(frame: FrameType) -> list[Any]:
    """Return the values of a running function's variables, and leave no references to them in the frame."""
    if not frame.f_code.co_flags & CO_OPTIMIZED or str(frame.f_globals.get("__name__")).startswith(_OWN_PACKAGE):
        return []  # the body of a module or a class, or a function of the runtime
    variables = frame.f_locals
    values = list(variables.values())
    if type(variables) is dict:  # before Python 3.13, the frame keeps this dict until it ends
        variables.clear()
    return values

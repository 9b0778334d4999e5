"""The variables of the functions that other OS threads run, which neither a copy of the node nor the collector sees."""

from __future__ import annotations

import sys
import threading
from collections.abc import Collection
from dataclasses import dataclass
from inspect import CO_OPTIMIZED
from itertools import chain
from types import FrameType
from typing import Any, Final

_OWN_PACKAGE: Final = "node_runtime."
_KNOWN_REFERENCES: Final = 3
"""References to the dict of a frame's variables: those of the frame, of `_variables` and of `_clear_unshared`."""


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
    """Return the values of a running function's variables, and leave no references to them in the frame if possible."""
    code = frame.f_code
    if not code.co_flags & CO_OPTIMIZED or str(frame.f_globals.get("__name__")).startswith(_OWN_PACKAGE):
        return []  # the body of a module or a class, or a function of the runtime
    variables = frame.f_locals
    values = list(variables.values())
    if type(variables) is dict:  # before Python 3.13, the frame keeps this dict until it ends
        _clear_unshared(variables, frozenset((*code.co_varnames, *code.co_cellvars, *code.co_freevars)))
    return values


def _clear_unshared(variables: dict[str, Any], names: frozenset[str]) -> None:
    """Clear the dict of a frame if only the frame and the caller have it, and the frame can fill it again.

    A thread that has called `locals()` has the same dict, and so has a function that has read `f_locals`. A call of
    exec may have put a variable there that is nowhere else. Such a dict keeps its values until the function ends or
    calls `locals()` again. That may delay finalizers, or keep an old version, but an emptied dict would break the
    thread.

    No other thread runs between the reads and the clearing: both reads are in one statement that calls only built-in
    functions.
    """
    dicts = [variables]
    (spare,) = map(sys.getrefcount, [{}])
    reads = chain(map(names.issuperset, dicts), map(sys.getrefcount, dicts))
    refillable, count = reads
    if refillable and count == spare + _KNOWN_REFERENCES:
        variables.clear()

"""The variables of functions in other OS threads. Neither a forked copy nor the garbage collector can see them."""

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
    """The name of a thread, and the objects in the variables of its running functions."""

    thread: str
    values: list[Any]


def thread_variables(without: Collection[int] = ()) -> list[ThreadVariables]:
    """Return the variables of each other thread, except those of the runtime's own functions.

    `without` has the idents of threads to leave out. Call this in the node before the fork: the copy has no other
    threads.
    """
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames: dict[int, Any] = sys._current_frames()
    for ident in (threading.get_ident(), *without):
        frames.pop(ident, None)
    found = []
    while frames:  # each frame is dropped as soon as it has been read
        ident, frame = frames.popitem()
        values: list[Any] = []
        while frame is not None:
            values += _variables(frame)
            frame = frame.f_back
        found.append(ThreadVariables(names.get(ident, str(ident)), values))
    return found


def _variables(frame: FrameType) -> list[Any]:
    """Return the values of a running function's variables. If possible, leave no other references to the values."""
    code = frame.f_code
    if not code.co_flags & CO_OPTIMIZED or str(frame.f_globals.get("__name__")).startswith(_OWN_PACKAGE):
        return []  # the body of a module or a class, or a function of the runtime
    variables = frame.f_locals
    values = list(variables.values())
    if type(variables) is dict:  # before Python 3.13, the frame keeps this dict until it ends
        _clear_unshared(variables, frozenset((*code.co_varnames, *code.co_cellvars, *code.co_freevars)))
    return values


def _clear_unshared(variables: dict[str, Any], names: frozenset[str]) -> None:
    """Clear the dict of a frame if only the frame and the caller refer to it, and the frame can fill it again.

    If the function has called `locals()`, or other code has read `f_locals`, that code has the same dict. A call of
    `exec` may have stored a variable only in this dict. In these cases, clearing the dict would break the thread. So
    the dict keeps its values until the function ends or calls `locals()` again, which may delay finalizers or keep an
    old version.

    No other thread runs between the checks and the clearing, because only built-in functions are called.
    """
    dicts = [variables]
    (spare,) = map(sys.getrefcount, [{}])
    reads = chain(map(names.issuperset, dicts), map(sys.getrefcount, dicts))
    refillable, count = reads
    if refillable and count == spare + _KNOWN_REFERENCES:
        variables.clear()

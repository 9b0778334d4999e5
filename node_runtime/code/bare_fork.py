"""A fork that calls none of the handlers that C libraries have registered with `pthread_atfork`.

Such a handler runs in the parent, before the fork, and may wait: OpenBLAS (numpy) waits until its threads have ended
their work. The waiting thread keeps the interpreter's lock, so the whole node would stop. The C library's `_Fork` calls
no handlers. This module does Python's own part of a fork, as `os.fork` does it: it handles Python's locks and threads,
and calls the functions registered with `os.register_at_fork`.

A disadvantage: the child may wait forever in C code. The locks of `malloc` and of other C libraries are as they were at
the fork, and a library doesn't know that its threads are missing. So the parent must kill the child at a deadline.
"""

from __future__ import annotations

import itertools
import operator
import os
import sys
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_OS_FORK: Final = os.fork


def fork() -> int:
    """Fork as `os.fork` does, but without the handlers of C libraries where the C library allows that.

    If the program has replaced `os.fork`, as gevent does, the replacement is called. Returns the pid of the child; in
    the child, 0. Raises OSError if the system refuses the fork.
    """
    calls = _calls()
    return _plain_fork() if calls is None or os.fork is not _OS_FORK else _bare_fork(*calls)


def native_threads() -> int:
    """Return how many threads of this OS process belong to C libraries, not Python; 0 if the number is unknown."""
    try:
        return max(0, len(os.listdir("/proc/self/task")) - len(sys._current_frames()))
    except OSError:
        return 0


def _plain_fork() -> int:
    with warnings.catch_warnings():
        # From Python 3.12 on, a fork in a threaded program warns that another thread may hold a lock.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _bare_fork(
    before: Callable[[], None],
    bare_fork: Callable[[], int],
    in_parent: Callable[[], None],
    in_child: Callable[[], None],
    errno: Callable[[], int],
) -> int:
    """Call `before`, fork, then call `in_child` in the child and `in_parent` in the parent.

    No bytecode may run between the fork and `in_child`, because the interpreter could wait for a thread that the child
    does not have. Therefore `map`, which is C code, makes all calls.
    """
    before()
    pids, handled = itertools.tee(map(operator.call, (bare_fork,)))
    list(map(operator.call, map({0: in_child}.get, handled, itertools.repeat(in_parent))))
    pid = next(pids)
    if pid < 0:
        refused = errno()
        raise OSError(refused, os.strerror(refused))
    return pid


@cache
def _calls() -> tuple[Any, ...] | None:
    """Return the arguments of `_bare_fork`; None if the C library has no `_Fork` (glibc before 2.34 has none)."""
    try:
        import ctypes

        c = ctypes.PyDLL(None, use_errno=True)  # its calls keep the interpreter's lock, as a fork has to
        bare_fork = c._Fork
        python = ctypes.pythonapi
        hooks = python.PyOS_BeforeFork, python.PyOS_AfterFork_Parent, python.PyOS_AfterFork_Child
    except (ImportError, OSError, AttributeError):
        return None
    for hook in hooks:
        hook.restype = None
    before, in_parent, in_child = hooks
    return before, bare_fork, in_parent, in_child, ctypes.get_errno

"""What a rehearsed code_change finds in place of the node: nothing that it could reach.

It runs in a copy of the node, where a call of the runtime would only seem to be answered, and where the files, the
sockets and the processes outside are still the real ones. So whatever goes beyond the state is barred and noted down,
also if the code_change swallows the error. Python tells of such things by its audit events, before they happen; they
stay barred between two code_changes, too, when objects are dropped whose end does something. The environment of
applications may be read. What C code does without telling is not seen; descriptors are closed to it, and whoever uses
one is known by the error, wrapped or not.
"""

from __future__ import annotations

import _thread
import asyncio
import errno
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sized
from functools import partial
from types import TracebackType
from typing import Any, Final, NoReturn, Self, cast

from node_runtime.processes import current_runtime
from node_runtime.processes.runtime import Runtime

_ACTS: Final = frozenset({
    "socket.bind", "socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname",
    "socket.gethostbyaddr", "sqlite3.connect", "subprocess.Popen", "pty.spawn", "signal.pthread_kill",
    "os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.kill", "os.killpg",
    "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown",
    "os.utime", "os.setxattr", "os.removexattr", "os.chdir", "os.fchdir", "os.chroot", "os.putenv", "os.unsetenv",
    "resource.setrlimit", "resource.prlimit", "syslog.openlog", "syslog.syslog",
})  # fmt: skip
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_UNTOLD: Final = (
    (_thread, "start_new_thread", "starts a thread"),
    (_thread, "start_joinable_thread", "starts a thread"),
    (threading, "_start_new_thread", "starts a thread"),
    (threading, "_start_joinable_thread", "starts a thread"),
    *((signal, name, "changes how the node takes signals") for name in ("signal", "setitimer", "alarm")),
)
"""Functions of which Python tells nothing, and what calling them means."""
_CLOSED: Final = (errno.EBADF, errno.EFBIG, errno.ENOTSOCK)
"""What the system says of a descriptor that the copy of the node doesn't have, and of a file that may not grow."""
_CLOSED_SQLITE: Final = (10, 14)
"""The same in SQLite's words: SQLITE_IOERR and SQLITE_CANTOPEN."""
_CLOSED_TEXTS: Final = tuple(map(os.strerror, _CLOSED))


class NotRehearsable(BaseException):
    """A code_change wants what is not there in a rehearsal. No `except Exception` swallows it."""


class Fence:
    """A context in which code sees no node. `touched` says what it wanted all the same, if anything.

    Made once, in the child; its audit hook can't be taken out again.
    """

    def __init__(self) -> None:
        self.touched: str | None = None
        self._up = False
        self._node = current_runtime.node
        loop = None if self._node is None else self._node.loop
        self._queues: tuple[Sized, ...] = (getattr(loop, "_ready", ()), getattr(loop, "_scheduled", ()))
        self._booked = self._count_booked()
        self._no_runtime = NoRuntime(self, self._node)
        self._no_loop = NoLoop(self)
        sys.dont_write_bytecode = True
        logging.disable(logging.CRITICAL)  # a handler may have a lock that a thread held, or a socket
        sys.addaudithook(_hook(self._bar_event))
        for module, name, what in _UNTOLD:
            if hasattr(module, name):
                setattr(module, name, partial(self._refuse, what))

    def __enter__(self) -> Self:
        self._booked = self._count_booked()
        current_runtime.node = cast(Runtime, self._no_runtime)
        asyncio._set_running_loop(cast(asyncio.AbstractEventLoop, self._no_loop))
        self._up = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._up = False
        asyncio._set_running_loop(None)
        current_runtime.node = self._node
        if self.touched is None and error is not None and _is_closed(error):
            self.touched = "uses a descriptor of the node"
        if self.touched is None and self._count_booked() != self._booked:
            self.touched = "uses the event loop"

    def take(self) -> str | None:
        """What was touched since this was last asked."""
        touched, self.touched = self.touched, None
        return touched

    def bar(self, what: str) -> NoReturn:
        """Note down what was wanted, and don't give it. Nobody in particular wants what objects do as they end."""
        if self._up:
            self.touched = self.touched or what
        raise NotRehearsable(what)

    def _refuse(self, what: str, *args: Any, **kwargs: Any) -> NoReturn:
        self.bar(what)

    def _count_booked(self) -> int:
        """How many callbacks the node's loop has to call: asyncio's own says it, another one doesn't."""
        return sum(map(len, self._queues))

    def _bar_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open":
            self.bar(f"acts on what is outside of the node ({event})")
        if len(arguments) > 2 and isinstance(arguments[2], int) and arguments[2] & _WRITES:
            self.bar("writes a file")


def _hook(bar: Callable[[str, tuple[Any, ...]], None]) -> Callable[[str, tuple[Any, ...]], None]:
    """What hears Python's audit events. There are very many, each `id()` is one: so it does next to nothing."""
    wanted = _ACTS | {"open"}

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event in wanted:
            bar(event, arguments)

    return hear


class NoRuntime:
    """In the runtime's place: what belongs to the node beside its processes may be read."""

    def __init__(self, fence: Fence, node: Runtime | None) -> None:
        self._fence = fence
        if node is not None:
            self.part = node.part

    def __getattr__(self, name: str) -> Any:
        self._fence.bar("calls the runtime")


class NoLoop:
    """In the event loop's place."""

    def __init__(self, fence: Fence) -> None:
        self._fence = fence

    def __getattr__(self, name: str) -> Any:
        self._fence.bar("uses the event loop")


def _is_closed(error: BaseException) -> bool:
    """Whether an error, or one that led to it, is about a descriptor that is closed."""
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        if _says_closed(at):
            return True
        at = at.__cause__ or at.__context__
    return False


def _says_closed(error: BaseException) -> bool:
    """By the number that the error has of the system or of SQLite, or by the system's words in it."""
    if isinstance(error, OSError):
        return error.errno in _CLOSED
    told = vars(error)
    code = told.get("sqlite_errorcode")
    if told.get("errno") in _CLOSED or (isinstance(code, int) and code & 0xFF in _CLOSED_SQLITE):
        return True
    return any(type(word) is str and any(text in word for text in _CLOSED_TEXTS) for word in error.args)

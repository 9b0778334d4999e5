"""What a rehearsed code_change finds in place of the node: nothing that it could reach.

It runs in a copy of the node, where a call of the runtime would only seem to be answered, and where the files, the
sockets and the processes outside are still the real ones. So whatever goes beyond the state is barred and noted down,
also if the code_change swallows the error. Python tells of such things by its audit events, before they happen. The
environment of applications may be read. What C code does without telling is not seen; descriptors are closed to it.
"""

from __future__ import annotations

import _thread
import asyncio
import errno
import logging
import os
import sys
import threading
from types import TracebackType
from typing import Any, Final, NoReturn, Self, cast

from node_runtime.processes import running
from node_runtime.processes.runtime import Runtime

_ACTS: Final = frozenset({
    "socket.bind", "socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname",
    "socket.gethostbyaddr", "sqlite3.connect", "subprocess.Popen", "pty.spawn", "signal.pthread_kill",
    "os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.kill", "os.killpg",
    "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown",
    "os.utime", "os.setxattr", "os.removexattr",
})  # fmt: skip
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_THREADS: Final = (
    (_thread, "start_new_thread"),
    (_thread, "start_joinable_thread"),
    (threading, "_start_new_thread"),
    (threading, "_start_joinable_thread"),
)
_CLOSED: Final = (errno.EBADF, errno.EFBIG, errno.ENOTSOCK)
"""What the system says of a descriptor that the copy of the node doesn't have, and of a file that may not grow."""


class NotRehearsable(BaseException):
    """A code_change wants what is not there in a rehearsal. No `except Exception` swallows it."""


class Fence:
    """A context in which code sees no node. `touched` says what it wanted all the same, if anything.

    Made once, in the child; its audit hook can't be taken out again.
    """

    def __init__(self) -> None:
        self.touched: str | None = None
        self._up = False
        self._node = running.node
        self._no_runtime = NoRuntime(self, self._node)
        self._no_loop = NoLoop(self)
        sys.dont_write_bytecode = True
        logging.disable(logging.CRITICAL)  # a handler may have a lock that a thread held, or a socket
        sys.addaudithook(self._hear)
        for module, name in _THREADS:  # of them Python tells nothing
            if hasattr(module, name):
                setattr(module, name, self._start_thread)

    def __enter__(self) -> Self:
        running.node = cast(Runtime, self._no_runtime)
        asyncio._set_running_loop(cast(asyncio.AbstractEventLoop, self._no_loop))
        self._up = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._up = False
        asyncio._set_running_loop(None)
        running.node = self._node
        if self.touched is None and error is not None and _is_closed(error):
            self.touched = "uses a descriptor of the node"

    def take(self) -> str | None:
        """What was touched since this was last asked."""
        touched, self.touched = self.touched, None
        return touched

    def bar(self, what: str) -> NoReturn:
        """Note down what was wanted, and don't give it."""
        self.touched = self.touched or what
        raise NotRehearsable(what)

    def _start_thread(self, *args: Any, **kwargs: Any) -> NoReturn:
        self.bar("starts a thread")

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._up:
            return
        if event in _ACTS:
            self.bar(f"acts on what is outside of the node ({event})")
        if event == "open" and len(arguments) > 2 and isinstance(arguments[2], int) and arguments[2] & _WRITES:
            self.bar("writes a file")


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
        if isinstance(at, OSError) and at.errno in _CLOSED:
            return True
        at = at.__cause__ or at.__context__
    return False

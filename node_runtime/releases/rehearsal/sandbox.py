"""The sandbox in which rehearsed code runs: it blocks and records accesses to the node and to the system outside.

Rehearsed code runs in a copy of the node. A call to the runtime would seem to succeed there, and files, sockets and
other OS processes are the real ones. So the sandbox raises an error before such an access. It recognises most accesses
by Python's audit events. It also records the access, in case the code swallows the error. Accesses stay blocked between
two code_changes, because the finalizers of dropped objects may run then. Reading the applications' environment is
allowed.

C code may raise no audit event. But the file descriptors that it can use are closed in the copy, so it gets an error.
The sandbox recognises that error, even as the cause of another error.

The bodies of new modules may do more than a code_change: they may change their own OS process, which is the copy.
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

from .bound_addresses import check_free_address, is_probing

_BLOCKED_EVENTS: Final = frozenset({
    "socket.bind", "socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname",
    "socket.gethostbyaddr", "sqlite3.connect", "subprocess.Popen", "pty.spawn", "signal.pthread_kill",
    "os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.kill", "os.killpg",
    "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown",
    "os.utime", "os.setxattr", "os.removexattr", "os.chdir", "os.fchdir", "os.chroot", "os.putenv", "os.unsetenv",
    "resource.setrlimit", "resource.prlimit", "syslog.openlog", "syslog.syslog",
})  # fmt: skip
_ALLOWED_IN_BODIES: Final = frozenset({"os.chdir", "os.fchdir", "os.putenv", "os.unsetenv"})
"""Events of accesses that affect only the OS process in which they happen."""
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_UNAUDITED: Final = (
    (_thread, "start_new_thread", "starts a thread"),
    (_thread, "start_joinable_thread", "starts a thread"),
    (threading, "_start_new_thread", "starts a thread"),
    (threading, "_start_joinable_thread", "starts a thread"),
    *((signal, name, "changes how the node handles signals") for name in ("setitimer", "alarm")),
)
"""Blocked functions that raise no audit event: module, name, and a clause that says what the function does."""
READ_ONLY_DATABASE: Final = "?immutable=1"
"""The end of the URI of a database that is only read."""
_CLOSED_ERRNOS: Final = (errno.EBADF, errno.EFBIG, errno.ENOTSOCK)
"""The system's errors for a descriptor that is closed in the copy of the node, and for a file that must not grow."""
_CLOSED_SQLITE_CODES: Final = (10, 14)
"""SQLite's errors for a closed descriptor and for a file that must not grow: SQLITE_IOERR and SQLITE_CANTOPEN."""
_CLOSED_TEXTS: Final = tuple(map(os.strerror, _CLOSED_ERRNOS))


class NotRehearsable(BaseException):
    """Rehearsed code attempted an access that the sandbox blocks. `except Exception` does not catch this error."""


class Sandbox:
    """A context manager that prevents the code in its block from using the node.

    `violation` describes the first access that was blocked; it is None if there was none. `runs_bodies` is whether the
    block runs bodies of modules, which may do more.

    Create a sandbox only once, in the forked child, because an audit hook can't be removed.
    """

    def __init__(self) -> None:
        self.violation: str | None = None
        self.runs_bodies = False
        self._active = False
        self._node = current_runtime.node
        loop = None if self._node is None else self._node.loop
        self._queues: tuple[Sized, ...] = (getattr(loop, "_ready", ()), getattr(loop, "_scheduled", ()))
        self._scheduled = self._count_scheduled()
        self._blocked_runtime = BlockedRuntime(self, self._node)
        self._blocked_loop = BlockedLoop(self)
        sys.dont_write_bytecode = True
        logging.disable(logging.CRITICAL)  # a log handler may use a socket, or a lock that a thread held at the fork
        sys.addaudithook(_audit_hook(self._block_event))
        for module, name, what in _UNAUDITED:
            if hasattr(module, name):
                setattr(module, name, partial(self._refuse, what))
        self._set_handler = signal.signal
        vars(signal)["signal"] = self._signal

    def __enter__(self) -> Self:
        self._scheduled = self._count_scheduled()
        current_runtime.node = cast(Runtime, self._blocked_runtime)
        asyncio._set_running_loop(cast(asyncio.AbstractEventLoop, self._blocked_loop))
        self._active = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._active = False
        asyncio._set_running_loop(None)
        current_runtime.node = self._node
        if self.violation is None and error is not None and _is_closed(error):
            self.violation = "uses an open file or socket of the node"
        if self.violation is None and self._count_scheduled() != self._scheduled:
            self.violation = "uses the event loop"

    def take_violation(self) -> str | None:
        """Return the first access that was blocked since the last call of this method; None if there was none."""
        violation, self.violation = self.violation, None
        return violation

    def block(self, what: str) -> NoReturn:
        """Record the access `what` as a violation, and raise NotRehearsable.

        Outside of the `with` block, nothing is recorded, because only finalizers run then.
        """
        if self._active:
            self.violation = self.violation or what
        raise NotRehearsable(what)

    def _refuse(self, what: str, *args: Any, **kwargs: Any) -> NoReturn:
        self.block(what)

    def _signal(self, number: int, handler: Any) -> Any:
        """Let the body of a module set a signal handler in the copy, except for SIGALRM, which ends late code."""
        if self.runs_bodies and number != signal.SIGALRM:
            return self._set_handler(number, handler)
        return self.block("changes how the node handles signals")

    def _count_scheduled(self) -> int:
        """Return the number of callbacks that asyncio's event loop has scheduled; 0 for another event loop."""
        return sum(map(len, self._queues))

    def _block_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.runs_bodies and event in _ALLOWED_IN_BODIES:
            return
        if event == "socket.bind" and is_probing():
            return
        if event == "socket.bind" and self.runs_bodies:
            check_free_address(*arguments)
        if event == "sqlite3.connect" and _is_harmless_database(arguments[0]):
            return
        if event != "open":
            self.block(f"acts on something outside of the node ({event})")
        writes = len(arguments) > 2 and isinstance(arguments[2], int) and arguments[2] & _WRITES
        if writes and arguments[0] != os.devnull:
            self.block("writes a file")


def _audit_hook(block: Callable[[str, tuple[Any, ...]], None]) -> Callable[[str, tuple[Any, ...]], None]:
    """Return the audit hook. The hook is minimal, because even each `id()` raises an audit event."""
    blocked = _BLOCKED_EVENTS | {"open"}

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in blocked:
            block(event, arguments)

    return hook


class BlockedRuntime:
    """Replaces the runtime inside the sandbox. The node's singletons can be used; any other access is blocked."""

    def __init__(self, sandbox: Sandbox, node: Runtime | None) -> None:
        self._sandbox = sandbox
        if node is not None:
            self.singleton = node.singleton

    def __getattr__(self, name: str) -> Any:
        self._sandbox.block("calls the runtime")


class BlockedLoop:
    """Replaces the event loop inside the sandbox: every access is blocked."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def __getattr__(self, name: str) -> Any:
        self._sandbox.block("uses the event loop")


def _is_harmless_database(name: object) -> bool:
    """Return whether a database is in memory, or opened so that SQLite writes nothing and takes no lock."""
    text = os.fsdecode(name) if isinstance(name, (str, bytes)) else ""
    return text == ":memory:" or text.endswith(READ_ONLY_DATABASE)


def _is_closed(error: BaseException) -> bool:
    """Return whether an error, or one in its chain of causes, reports a closed file descriptor."""
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        if _reports_closed(at):
            return True
        at = at.__cause__ or at.__context__
    return False


def _reports_closed(error: BaseException) -> bool:
    """Return whether an error's errno, its SQLite error code or its text reports a closed file descriptor."""
    if isinstance(error, OSError):
        return error.errno in _CLOSED_ERRNOS
    attributes = vars(error)
    code = attributes.get("sqlite_errorcode")
    if attributes.get("errno") in _CLOSED_ERRNOS or (isinstance(code, int) and code & 0xFF in _CLOSED_SQLITE_CODES):
        return True
    return any(type(word) is str and any(text in word for text in _CLOSED_TEXTS) for word in error.args)

"""Forked children that work on a copy of the node's memory and can't affect their parent.

The kernel copies a page of memory when either process writes to it. A child has none of the
parent's threads, so its work must not take a lock that a thread could have held at the fork. No
handlers of C libraries run at the fork (`bare_fork`), so C code in the child may wait forever. The
child closes all descriptors except its ends of two pipes. The child writes its answer to the first
pipe. The parent keeps its end of the second pipe open. When the parent exits, the kernel closes this
end and sends the child a signal, which ends the child. The child runs none of the parent's
finalizers, exit handlers and signal handlers. It leads its own process group, so that the parent can
kill all processes that the child has started.
"""

from __future__ import annotations

import fcntl
import gc
import mmap
import os
import resource
import select
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from .bare_fork import fork, native_threads

if TYPE_CHECKING:
    from collections.abc import Callable


_parents_handlers: dict[int, Any] = {}
"""In a child, the signal handlers that the parent had at the fork."""


class ChildLimits(msgspec.Struct, frozen=True):
    """The limits of a child: seconds of processor time, and bytes of memory in addition to the parent's.

    A child with limits can neither write files nor start processes.
    """

    cpu_seconds: float
    memory: int


class ForkedChild(msgspec.Struct, frozen=True):
    """A running child, as its parent sees it.

    `reader` is the read end of the pipe that the child writes to. `lifeline` is the parent's end of the second pipe;
    when the parent closes `lifeline`, the child ends. `fork_seconds` is the time that the fork took. `lost_threads` is
    the number of the parent's threads that belong to C libraries and don't exist in the child.
    """

    pid: int
    reader: int
    lifeline: int
    fork_seconds: float
    lost_threads: int

    def kill(self) -> None:
        """Close the pipes, and kill the child and the processes that it started. Call `wait` afterwards."""
        os.close(self.reader)
        for kill in (os.killpg, os.kill):
            try:
                kill(self.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue  # the child does not lead a group yet, or has exited
        os.close(self.lifeline)

    def wait(self) -> int:
        """Wait until the child has exited; return its wait status."""
        return os.waitpid(self.pid, 0)[1]


def fork_child(work: Callable[[int], None], limits: ChildLimits | None = None) -> ForkedChild:
    """Fork, and run `work(writer)` in the child, which exits afterwards.

    `writer` is the write end of the pipe for the child's answer. Raises OSError if the system refuses a pipe or the
    fork, for lack of memory, processes or descriptors.
    """
    reader, writer = os.pipe()
    try:
        alive, lifeline = os.pipe()
    except OSError:
        _close(reader, writer)
        raise
    lost_threads = native_threads()
    began = time.perf_counter()
    try:
        pid = fork()
    except OSError:
        _close(reader, writer, alive, lifeline)
        raise
    if pid == 0:
        _run_child(work, writer, alive, limits)
    fork_seconds = time.perf_counter() - began
    _close(writer, alive)
    return ForkedChild(pid, reader, lifeline, fork_seconds, lost_threads)


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def write_all(writer: int, data: bytes) -> None:
    """Write all of `data` to a descriptor. Raises OSError."""
    left = memoryview(data)
    while left:
        left = left[os.write(writer, left) :]


def read_all(reader: int, deadline: float) -> bytes:
    """Return all bytes up to the end of a descriptor's data, or b"" if the deadline passes first.

    `deadline` is a time of `time.monotonic()`.
    """
    parts: list[bytes] = []
    while (left := deadline - time.monotonic()) > 0 and select.select([reader], [], [], left)[0]:
        part = os.read(reader, 65536)
        if not part:
            return b"".join(parts)
        parts.append(part)
    return b""


def _run_child(work: Callable[[int], None], writer: int, alive: int, limits: ChildLimits | None) -> NoReturn:
    try:
        os.setpgid(0, 0)
        gc.freeze()  # the collector then examines only new objects, and copies no page of old ones
        _reset_signals()
        _close_all_but(writer, alive)
        _exit_with_parent(alive)
        sys.stdin = sys.stdout = sys.stderr = NullStream()
        if limits is not None:
            _apply(limits)
        work(writer)
    finally:
        os._exit(0)


def _close_all_but(*kept: int) -> None:
    first = 0
    for number in sorted(kept):
        os.closerange(first, number)
        first = number + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def _exit_with_parent(alive: int) -> None:
    """Have the kernel send SIGIO, which ends the child, when the parent closes its end of the pipe `alive`."""
    fcntl.fcntl(alive, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(alive, fcntl.F_SETFL, fcntl.fcntl(alive, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    try:
        os.read(alive, 1)
    except BlockingIOError:
        return
    os._exit(0)  # the parent has exited already


def parents_signal_handler(number: int) -> Any:
    """Return the handler of a signal; in a child, the handler that the parent had at the fork."""
    return _parents_handlers.get(number, signal.getsignal(number))


def handled_signal(handlers: object, handler: object) -> str | None:
    """In a child, return the name of the signal that the parent handles with `handler`.

    Return None unless `handlers` is the child's record of the parent's handlers.
    """
    if handlers is not _parents_handlers:
        return None
    return next((signal_name(number) for number, each in _parents_handlers.items() if each is handler), None)


def signal_name(number: int) -> str:
    """Return the name of a signal, such as "SIGUSR1"; "signal 40" for a signal without a name."""
    return signal.Signals(number).name if number in {*signal.Signals} else f"signal {number}"


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            _parents_handlers[number] = signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError):
            continue  # the C library reserves some signals
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _apply(limits: ChildLimits) -> None:
    for name, soft in (
        ("RLIMIT_CORE", 0),
        ("RLIMIT_FSIZE", 0),  # no file grows, regardless of which code writes it
        ("RLIMIT_NPROC", 0),
        # The parent has a time limit too; this one works even if the parent doesn't kill the child.
        ("RLIMIT_CPU", int(time.process_time() + limits.cpu_seconds) + 2),
        ("RLIMIT_AS", _address_space() + limits.memory),
    ):
        kind = getattr(resource, name, None)
        if kind is None or (name == "RLIMIT_AS" and soft == limits.memory):
            continue
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
    _prefer_for_oom_kill()


def _address_space() -> int:
    """Return the number of bytes that the process has mapped; 0 where the system doesn't report it."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE
    except OSError:
        return 0


def _prefer_for_oom_kill() -> None:
    """Make the kernel kill the child rather than the node if the machine runs out of memory."""
    try:
        file = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(file, b"1000")
        os.close(file)
    except OSError:
        return


class NullStream:
    """A standard stream of the child, which discards all output and takes no lock."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def write(self, text: str) -> int:
        """Discard the text."""
        return len(text)

    def flush(self) -> None:
        """Do nothing."""

    def isatty(self) -> bool:
        """Return False."""
        return False

    def read(self, *size: Any) -> str:
        """Return "", as at the end of a file."""
        return ""

    readline = read

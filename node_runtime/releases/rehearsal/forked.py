"""A copy of the whole node: a forked child that can be looked at and used up, and reaches nothing of its parent.

The child has the parent's memory as it was, copied by the kernel where either writes. It has none of the parent's
threads, and no descriptor but two pipes: so it may take no lock that a thread could have held at the fork. One pipe is
for what it says; by the other one the kernel ends it as soon as the parent is gone. It is a process group of its own,
which is killed when it has said what it had to say, or when its time is over.
"""

from __future__ import annotations

import asyncio
import fcntl
import gc
import mmap
import os
import resource
import signal
import struct
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

LOOK: Final = 0.1
"""Seconds between two looks at how far the child is."""
GRACE: Final = 1.0
"""Seconds that a child has to interrupt itself before it is killed."""
LARGEST: Final = 64 << 20
"""Bytes that a child may say in all."""

NOBODY: Final = 0
"""The number of no process."""

Tell = Callable[[bytes], None]
_SIZE: Final = struct.Struct("<I")


class Place:
    """Whom the child is at, in memory that both share: the number of a process, and since when.

    What a child says through its pipe ends with it; this stays.
    """

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, 16)
        self._numbers = memoryview(self._page).cast("q")  # native and aligned: each is written in one go
        self.enter(NOBODY)

    def enter(self, number: int) -> None:
        """The child begins with this process."""
        self.begin()
        self._numbers[0] = number

    def begin(self) -> None:
        """It begins with another thing that may take its time, and is at the same process."""
        self._numbers[1] = time.monotonic_ns()

    def read(self) -> tuple[int, float]:
        """The process, and for how many seconds the child has been at it."""
        return self._numbers[0], (time.monotonic_ns() - self._numbers[1]) / 1e9

    def close(self) -> None:
        """Nobody reads it any more."""
        self._numbers.release()
        self._page.close()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a child may use: seconds in all and for `each` process; `memory` in bytes beyond the parent's."""

    seconds: float
    each: float
    memory: int


async def run_in_a_copy(
    work: Callable[[Tell], None], hear: Callable[[bytes], None], place: Place, bounds: Bounds
) -> tuple[float, bool]:
    """Fork here and now, run `work(tell)` in the child, and give `hear` what it tells, message by message.

    Returns how many seconds the fork took, in which the node stood still, and whether the child was killed because
    its time was over. To be called on the event loop: then no callback is in the middle of changing something.
    """
    reader, writer = os.pipe()
    alive, living = os.pipe()
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: a child of a threaded program may find locks taken
        child = os.fork()
    if child == 0:
        _be_the_child(work, writer, alive, bounds)
    stopped = time.perf_counter() - began
    os.close(writer)
    os.close(alive)
    try:
        return stopped, not await _heard(reader, hear, place, bounds)
    finally:
        os.close(reader)
        _kill(child)
        os.close(living)
        await asyncio.shield(asyncio.to_thread(os.waitpid, child, 0))


async def _heard(reader: int, hear: Callable[[bytes], None], place: Place, bounds: Bounds) -> bool:
    """Whether the child said all by itself."""
    loop = asyncio.get_running_loop()
    os.set_blocking(reader, False)
    over: asyncio.Future[None] = loop.create_future()
    buffer = bytearray()
    heard = 0

    def readable() -> None:
        nonlocal heard
        try:
            part = os.read(reader, 1 << 18)
        except BlockingIOError:
            return
        heard += len(part)
        buffer.extend(part)
        if (not part or heard > LARGEST) and not over.done():
            over.set_result(None)
        while len(buffer) >= _SIZE.size:
            end = _SIZE.size + _SIZE.unpack_from(buffer)[0]
            if len(buffer) < end:
                break
            hear(bytes(buffer[_SIZE.size : end]))
            del buffer[:end]

    deadline = time.monotonic() + bounds.seconds
    loop.add_reader(reader, readable)
    try:
        while not over.done():
            number, at_it = place.read()
            if time.monotonic() > deadline or (number != NOBODY and at_it > bounds.each + GRACE):
                return False
            await asyncio.wait([over], timeout=LOOK)
    finally:
        loop.remove_reader(reader)
    return True


def _kill(child: int) -> None:
    """The child and whatever it has started."""
    for kill in (os.killpg, os.kill):
        try:
            kill(child, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue  # it has not become a group yet, or is gone


def _be_the_child(work: Callable[[Tell], None], writer: int, alive: int, bounds: Bounds) -> NoReturn:
    try:
        os.setpgid(0, 0)
        gc.freeze()  # collections look at new objects only, and copy no page for the old ones
        _forget_signals()
        _close_all_but(writer, alive)
        _end_with_parent(alive)
        sys.stdin = sys.stdout = sys.stderr = Nowhere()
        _limit(bounds)

        def tell(message: bytes) -> None:
            left = memoryview(_SIZE.pack(len(message)) + message)
            while left:
                left = left[os.write(writer, left) :]

        work(tell)
    finally:
        os._exit(0)


def _close_all_but(*kept: int) -> None:
    first = 0
    for number in sorted(kept):
        os.closerange(first, number)
        first = number + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def _end_with_parent(alive: int) -> None:
    """Have SIGIO sent, which nobody handles, when the parent has let go of the other end of this pipe."""
    fcntl.fcntl(alive, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(alive, fcntl.F_SETFL, fcntl.fcntl(alive, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    try:
        os.read(alive, 1)
    except BlockingIOError:
        return
    os._exit(0)  # it was gone before


def _forget_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError):
            continue  # the C library keeps some for itself
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _limit(bounds: Bounds) -> None:
    for name, most in (
        ("RLIMIT_CORE", 0),
        ("RLIMIT_FSIZE", 0),  # no file grows, whoever writes it
        ("RLIMIT_NPROC", 0),
        ("RLIMIT_CPU", int(time.process_time() + bounds.seconds) + 2),  # should the parent be gone
        ("RLIMIT_AS", _address_space() + bounds.memory),
    ):
        kind = getattr(resource, name, None)
        if kind is None or (name == "RLIMIT_AS" and most == bounds.memory):
            continue
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    _go_first()


def _address_space() -> int:
    """Bytes that the process has mapped; 0 where the system doesn't say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE
    except OSError:
        return 0


def _go_first() -> None:
    """If memory runs out on the machine, the kernel is to take the copy and not the node."""
    try:
        file = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(file, b"1000")
        os.close(file)
    except OSError:
        return


class Nowhere:
    """What the child has for a terminal: everything is swallowed, and no lock is taken."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def write(self, text: str) -> int:
        """Swallow it."""
        return len(text)

    def flush(self) -> None:
        """There is nothing to flush."""

    def isatty(self) -> bool:
        """It is none."""
        return False

    def read(self, *size: Any) -> str:
        """Nobody types."""
        return ""

    readline = read

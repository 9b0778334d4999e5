"""Runs a rehearsal in a forked child of the node, the copy, and receives its messages.

The child, a copy of the whole node, sends messages through a pipe, each preceded by its size. A `ProgressMarker` in
shared memory shows which process the child is rehearsing. When the child has sent everything or has exceeded a time
limit, the node kills the child and every OS process that the child has started. The module `forked_child` isolates the
child from the node. If a thread of the node holds a lock of the C library at the moment of the fork, the child can't
start; then the node forks again.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

import msgspec

from node_runtime.code.bare_fork import native_threads
from node_runtime.code.forked_child import ChildLimits, fork_child, write_all
from node_runtime.protocol.process_stat import is_runnable, processor_seconds

CHECK_INTERVAL_SECONDS: Final = 0.1
"""Seconds between two checks of the time limits."""
FIRST_CHECK_SECONDS: Final = 0.01
"""Seconds until the first check, which is early, because a whole rehearsal may take only some tenths of a second."""
START_SECONDS: Final = 5.0
"""Time limit for the child's first message. Time in which the child only waits for a processor is added."""
MAX_IDLE_CHECKS: Final = 5
"""The node kills a late child if so many checks in a row have found it waiting for something other than a processor.

On a busy machine, a child that waits for a processor only needs more time. A child that waits for a lock never ends.
"""
MAX_STARTS: Final = 3
"""How often the node forks before it gives up, if the child does not start."""
INTERRUPT_GRACE_SECONDS: Final = 1.0
"""Seconds that the child has to interrupt a late call itself, before the node kills the child.

Time in which the child waits for a processor does not count.
"""
BUSY_SHARE: Final = 0.5
"""If the event loop uses more than this share of a processor, the child gives way to it."""
NICENESS: Final = 10
"""The niceness of a child that gives way. It then gets about a tenth of a processor that the node needs, too."""
MAX_REPORT_BYTES: Final = 64 << 20
"""Largest number of bytes that a child may send in all."""

NO_PROCESS: Final = 0
"""The number in a `ProgressMarker` while nothing is being rehearsed."""
BODIES: Final = -(1 << 40)
"""The number in a `ProgressMarker` while the bodies of the new modules run."""

SendMessage = Callable[[bytes], None]
_SIZE: Final = struct.Struct("<I")


class ProgressMarker:
    """The pid of the process that the child is rehearsing, and since when, in shared memory.

    For an applied function, the negated number of its instruction is stored instead of a pid. The node can read the
    marker even after the child has died.
    """

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, 16)
        self._numbers = memoryview(self._page).cast("q")  # native and aligned: each number is written atomically
        self.enter(NO_PROCESS)

    def enter(self, number: int) -> None:
        """Record that the child begins to rehearse the process or function with this number."""
        self.begin()
        self._numbers[0] = number

    def begin(self) -> None:
        """Record the current time as the start of a call."""
        self._numbers[1] = time.monotonic_ns()

    def read(self) -> tuple[int, float]:
        """Return the number that `enter` recorded last, and the seconds since the last `enter` or `begin`."""
        return self._numbers[0], (time.monotonic_ns() - self._numbers[1]) / 1e9

    def close(self) -> None:
        """Release the shared memory of the marker."""
        self._numbers.release()
        self._page.close()


class RehearsalLimits(msgspec.Struct, frozen=True):
    """Limits of a rehearsal.

    `total_seconds` limits the whole rehearsal, `call_seconds` each call of a user's function, and `body_seconds` the
    bodies of all new modules together. `memory_bytes` limits what the copy may allocate on top of the node's memory.
    """

    total_seconds: float
    call_seconds: float
    body_seconds: float
    memory_bytes: int

    def seconds_for(self, number: int) -> float:
        """Return the time limit for a `ProgressMarker` with this number: for all module bodies, or for one call."""
        return self.body_seconds if number == BODIES else self.call_seconds


class CopyEnd(msgspec.Struct, frozen=True):
    """How a copy of the node ended.

    `stopped` is the number of seconds for which the fork blocked the node. `killed` is whether the copy exceeded a time
    limit, and `crashed` whether a signal ended it. `lost_threads` is the number of threads of C libraries that the node
    has and the copy lacked.
    """

    stopped: float
    killed: bool
    crashed: bool
    lost_threads: int


class CopyNotStarted(Exception):
    """The copy of the node could not be made, or did not start. The message is a clause that says why."""


async def run_in_forked_copy(
    prepare: Callable[[], Callable[[SendMessage], None]],
    receive: Callable[[bytes], None],
    marker: ProgressMarker,
    limits: RehearsalLimits,
) -> CopyEnd:
    """Fork at once, run `prepare()(send)` in the child, and call `receive` with each message that the child sends.

    `prepare()` is called in the node, before each fork; the node drops its result after the fork. Call this function on
    the event loop: then the copy is made between two callbacks. Raises CopyNotStarted.
    """
    stopped = 0.0
    for _ in range(MAX_STARTS):
        try:
            child = fork_child(partial(_run, prepare()), ChildLimits(limits.total_seconds, limits.memory_bytes))
        except OSError as refused:
            raise CopyNotStarted(f"the node can't be copied ({refused.strerror})") from refused
        stopped += child.fork_seconds
        messages = _MessageReader(receive, child.pid)
        try:
            in_time = await messages.receive_all(child.reader, marker, limits)
        finally:
            child.kill()
            status = await asyncio.shield(asyncio.to_thread(child.wait))
        if messages.started:
            # Threads that have ended since the fork don't count: they may have been threads of Python, about to end.
            lost_threads = min(child.lost_threads, native_threads())
            return CopyEnd(stopped, not in_time, in_time and os.WIFSIGNALED(status), lost_threads)
    raise CopyNotStarted(f"the copy of the node did not start in {MAX_STARTS} attempts of {START_SECONDS:g} s")


def _run(work: Callable[[SendMessage], None], writer: int) -> None:
    write_all(writer, _SIZE.pack(0))
    work(lambda message: write_all(writer, _SIZE.pack(len(message)) + message))


class _MessageReader:
    """Receives the messages of the child `pid`. `started` is whether the first message has arrived."""

    def __init__(self, receive: Callable[[bytes], None], pid: int) -> None:
        self.started = False
        self._receive = receive
        self._pid = pid
        self._idle_checks = 0
        self._used_in_time: float | None = None
        """The processor time that the child had used when its present call became late; None if no call is late."""
        self._buffer = bytearray()
        self._received = 0

    async def receive_all(self, reader: int, marker: ProgressMarker, limits: RehearsalLimits) -> bool:
        """Receive messages until the child closes its pipe; return False if it exceeds a time limit.

        On a busy node, the child gets a lower priority, so that the rehearsal takes longer instead of the requests.
        """
        loop = asyncio.get_running_loop()
        os.set_blocking(reader, False)
        ended: asyncio.Future[None] = loop.create_future()
        began = time.monotonic()
        loop.add_reader(reader, self._read, reader, ended)
        interval = FIRST_CHECK_SECONDS
        try:
            while not ended.done():
                if self._is_late(time.monotonic() - began, marker, limits):
                    return False
                since, used = time.monotonic(), time.thread_time()
                await asyncio.wait([ended], timeout=interval)
                interval = CHECK_INTERVAL_SECONDS
                if time.thread_time() - used > BUSY_SHARE * (time.monotonic() - since):
                    self._give_way()
        finally:
            loop.remove_reader(reader)
        return True

    def _give_way(self) -> None:
        with suppress(OSError):  # it has ended
            os.setpriority(os.PRIO_PGRP, self._pid, max(NICENESS, os.getpriority(os.PRIO_PGRP, self._pid)))

    def _is_late(self, seconds: float, marker: ProgressMarker, limits: RehearsalLimits) -> bool:
        if not self.started:
            return seconds > limits.total_seconds or (seconds > START_SECONDS and self._is_stuck())
        number, at_it = marker.read()
        late = 0.0 if number == NO_PROCESS else at_it - limits.seconds_for(number)
        return seconds > limits.total_seconds or self._is_not_interrupted(late)

    def _is_not_interrupted(self, late: float) -> bool:
        """Return whether the child has failed to interrupt its late call. `late` is the seconds since the call's time
        limit.
        """
        if late <= 0:
            self._used_in_time, self._idle_checks = None, 0
            return False
        used = processor_seconds(self._pid)
        if self._used_in_time is None:
            self._used_in_time = used
        if late <= INTERRUPT_GRACE_SECONDS:
            return False
        return used - self._used_in_time >= INTERRUPT_GRACE_SECONDS or self._is_stuck()

    def _is_stuck(self) -> bool:
        """Return whether the last checks have all found the child waiting."""
        self._idle_checks = 0 if is_runnable(self._pid) else self._idle_checks + 1
        return self._idle_checks >= MAX_IDLE_CHECKS

    def _read(self, reader: int, ended: asyncio.Future[None]) -> None:
        try:
            part = os.read(reader, 1 << 18)
        except BlockingIOError:
            return
        buffer = self._buffer
        self._received += len(part)
        buffer.extend(part)
        if (not part or self._received > MAX_REPORT_BYTES) and not ended.done():
            ended.set_result(None)
        while len(buffer) >= _SIZE.size:
            end = _SIZE.size + _SIZE.unpack_from(buffer)[0]
            if len(buffer) < end:
                break
            if end > _SIZE.size:
                self._receive(bytes(buffer[_SIZE.size : end]))
            self.started = True
            del buffer[:end]

"""Runs a rehearsal in a forked child of the node, and receives the child's messages.

The child, a copy of the whole node, sends messages through a pipe, each preceded by its size. A `ProgressMarker` in
shared memory shows which process the child is rehearsing. When the child has sent everything or has exceeded a time
limit, the node kills the child and every OS process that the child has started. The module
`forked_child` isolates the child from the node.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from node_runtime.code.forked_child import ChildLimits, fork_child, write_all

CHECK_INTERVAL_SECONDS: Final = 0.1
"""Seconds between two checks of the time limits."""
INTERRUPT_GRACE_SECONDS: Final = 1.0
"""Seconds that the child has to interrupt a late call itself, before the node kills the child."""
MAX_REPORT_BYTES: Final = 64 << 20
"""Largest number of bytes that a child may send in all."""

NO_PROCESS: Final = 0
"""The number in a `ProgressMarker` while nothing is being rehearsed."""

SendMessage = Callable[[bytes], None]
_SIZE: Final = struct.Struct("<I")


class ProgressMarker:
    """The pid of the process that the child is rehearsing, and since when, in shared memory.

    For an applied function, the negated number of its instruction is stored instead of a pid. The
    node can read the marker even after the child has died.
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
        """Return the number that `enter` recorded, and the seconds since the start of the last call."""
        return self._numbers[0], (time.monotonic_ns() - self._numbers[1]) / 1e9

    def close(self) -> None:
        """Release the memory."""
        self._numbers.release()
        self._page.close()


@dataclass(frozen=True, slots=True)
class RehearsalLimits:
    """Limits of a rehearsal: seconds in all, seconds for each user function, and bytes on top of the node's memory."""

    total_seconds: float
    call_seconds: float
    memory_bytes: int


async def run_in_forked_copy(
    work: Callable[[SendMessage], None],
    receive: Callable[[bytes], None],
    marker: ProgressMarker,
    limits: RehearsalLimits,
) -> tuple[float, bool]:
    """Fork at once, run `work(send)` in the child, and call `receive` with each message that the child sends.

    Return the seconds for which the fork blocked the node, and whether the child exceeded a time limit and was killed.
    Call this function on the event loop: then the copy is made between two callbacks.
    """

    def run(writer: int) -> None:
        work(lambda message: write_all(writer, _SIZE.pack(len(message)) + message))

    child = fork_child(run, ChildLimits(limits.total_seconds, limits.memory_bytes))
    try:
        return child.fork_seconds, not await _receive_all(child.reader, receive, marker, limits)
    finally:
        child.kill()
        await asyncio.shield(asyncio.to_thread(child.wait))


async def _receive_all(
    reader: int, receive: Callable[[bytes], None], marker: ProgressMarker, limits: RehearsalLimits
) -> bool:
    """Receive messages until the child closes its pipe; return False if it exceeds a time limit."""
    loop = asyncio.get_running_loop()
    os.set_blocking(reader, False)
    ended: asyncio.Future[None] = loop.create_future()
    buffer = bytearray()
    received = 0

    def read() -> None:
        nonlocal received
        try:
            part = os.read(reader, 1 << 18)
        except BlockingIOError:
            return
        received += len(part)
        buffer.extend(part)
        if (not part or received > MAX_REPORT_BYTES) and not ended.done():
            ended.set_result(None)
        while len(buffer) >= _SIZE.size:
            end = _SIZE.size + _SIZE.unpack_from(buffer)[0]
            if len(buffer) < end:
                break
            receive(bytes(buffer[_SIZE.size : end]))
            del buffer[:end]

    deadline = time.monotonic() + limits.total_seconds
    loop.add_reader(reader, read)
    try:
        while not ended.done():
            number, seconds = marker.read()
            if time.monotonic() > deadline or (
                number != NO_PROCESS and seconds > limits.call_seconds + INTERRUPT_GRACE_SECONDS
            ):
                return False
            await asyncio.wait([ended], timeout=CHECK_INTERVAL_SECONDS)
    finally:
        loop.remove_reader(reader)
    return True

"""The messages between the workers of a node, at this worker's end: the parent passes them on through its pipes."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Final

import msgspec

from node_runtime.cli.heartbeat import Heartbeat
from node_runtime.releases.workers import WorkerMessage, decode, encode

MAX_READ_BYTES: Final = 65_536

logger: Final = logging.getLogger("node_runtime")


class WorkerMail:
    """Sends messages through the heartbeat's pipe, and reads the messages that arrive through the pipe `descriptor`."""

    def __init__(self, heart: Heartbeat, descriptor: int | None) -> None:
        self._heart = heart
        self._descriptor = descriptor
        self._rest = b""
        if descriptor is not None:
            os.set_inheritable(descriptor, False)
            os.set_blocking(descriptor, False)

    def send(self, number: int, message: WorkerMessage) -> None:
        """Send a message to worker `number`. The message gets lost if that worker doesn't run."""
        self._heart.mail(number, encode(message))

    def receive(self, handle: Callable[[int, WorkerMessage], None]) -> None:
        """Call `handle` with the number of the sender and each message, until `close`."""
        if self._descriptor is not None:
            asyncio.get_running_loop().add_reader(self._descriptor, self._read, self._descriptor, handle)

    def close(self) -> None:
        """Read no more messages."""
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)

    def _read(self, descriptor: int, handle: Callable[[int, WorkerMessage], None]) -> None:
        try:
            received = os.read(descriptor, MAX_READ_BYTES)
        except BlockingIOError:
            return
        if not received:  # the parent has ended; the heartbeat notices the end
            asyncio.get_running_loop().remove_reader(descriptor)
            return
        *lines, self._rest = (self._rest + received).split(b"\n")
        for line in lines:
            sender, _, text = line.partition(b" ")
            try:
                message = decode(text)
            except msgspec.DecodeError as error:  # during a restart, a worker may have another version of node_runtime
                logger.warning("a message of worker %s can't be read: %s", sender.decode(errors="replace"), error)
                continue
            handle(int(sender), message)

"""One connection of a gateway.

Counts the bytes from the client, and the bytes to the client that the client has not acknowledged.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from node_runtime.protocol.messages.struct import Role

from .limits import RoleLimits
from .seam import RoutingId
from .token_bucket import TokenBucket

_CAN_METER: Final = sys.platform == "linux"
_ACKED_AND_RECEIVED: Final = struct.Struct("=120xQQ")
"""The fields tcpi_bytes_acked and tcpi_bytes_received of Linux's struct tcp_info."""


class OpenConnection:
    """An open connection with the descriptor `descriptor`, accepted at the time `opened` of `time.monotonic()`.

    The connection is *silent* until its first request arrives. Until then, it has the limits `limits`. The request
    shows who the client is, and `introduce` sets the limits of the client's role. `unread` is the number of sent bytes
    that the client's kernel has not acknowledged.

    The kernel counts the bytes, because libzmq doesn't report how many bytes it keeps. libzmq collects all frames of a
    message before it passes the message on, and limits only the number of messages that a client does not read. On
    systems other than Linux, the number of unread messages and the memory of the gateway are the only limits.

    At any time, libzmq may close the descriptor and get the same number for its next connection. So the descriptor is
    used only while its inode is still the inode of the accepted connection. `handshakes_before` is the number of the
    last handshake before this connection was accepted.
    """

    __slots__ = (
        "_acked", "_bytes", "_inode", "_messages", "_received", "_second", "address", "closing", "descriptor",
        "handshakes_before", "key", "messages_in_second", "opened", "role", "routing_id", "unread",
    )  # fmt: skip

    def __init__(self, descriptor: int, opened: float, limits: RoleLimits, handshakes_before: int = 0) -> None:
        self.descriptor = descriptor
        self._inode = _inode_of(descriptor)
        self.opened = opened
        self.handshakes_before = handshakes_before
        self.closing = False
        self.routing_id: RoutingId = b""
        self.key = b""
        self.role: Role = "viewer"
        self.address = ""
        self.unread = 0
        self.messages_in_second = 0
        self._acked = self._received = self._second = 0
        self._limit(limits)

    @property
    def silent(self) -> bool:
        """Whether the connection has sent no request yet."""
        return not self.routing_id

    def introduce(self, routing_id: RoutingId, key: bytes, role: Role, address: str, limits: RoleLimits) -> None:
        """Set who the client is, and give it full buckets with the given limits."""
        self.routing_id, self.key, self.role, self.address = routing_id, key, role, address
        self._limit(limits)

    def _limit(self, limits: RoleLimits) -> None:
        self._bytes = TokenBucket(limits.bytes_refill)
        self._messages = TokenBucket(limits.messages_refill)

    def spend_message(self, now: float) -> bool:
        """Count one message of the client; return False if it has sent too many."""
        second = int(now)
        if second != self._second:
            self._second, self.messages_in_second = second, 0
        self.messages_in_second += 1
        return self._messages.spend(1, now)

    def spend_received_bytes(self, now: float) -> bool:
        """Count the bytes received and acknowledged since the last call; return False if too many were received."""
        if not _CAN_METER:
            self.unread = 0
            return True
        try:
            with self._borrowed() as borrowed:
                info = borrowed.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKED_AND_RECEIVED.size)
            acked, received = _ACKED_AND_RECEIVED.unpack(info)
        except (OSError, struct.error):
            return True  # the connection has just ended, or the kernel is too old
        newly_acked, newly_received = acked - self._acked, received - self._received
        self._acked, self._received = acked, received
        self.unread = max(0, self.unread - newly_acked)
        return self._bytes.spend(newly_received, now)

    def shut_down(self) -> None:
        """Let the kernel end the connection. libzmq notices the end, and closes the descriptor."""
        self.closing = True
        with suppress(OSError), self._borrowed() as borrowed:
            borrowed.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def _borrowed(self) -> Iterator[socket.socket]:
        """Yield a socket that uses libzmq's descriptor, and leave the descriptor open.

        Raises OSError if the connection has ended.
        """
        if _inode_of(self.descriptor) != self._inode:
            raise ConnectionResetError(errno.ECONNRESET, "the descriptor belongs to another connection")
        borrowed = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=self.descriptor)
        try:
            yield borrowed
        finally:
            borrowed.detach()


def _inode_of(descriptor: int) -> int:
    """Return the inode of a socket, which no two open sockets share; 0 if the descriptor is closed."""
    try:
        return os.fstat(descriptor).st_ino
    except OSError:
        return 0

"""Closes a connection whose client still sends, so that the client can read the answer.

If the kernel has unread bytes when a connection is closed, the kernel resets the connection, and the client may lose
the answer. So the listener sends a FIN after the answer, and drops further data of the client until the client closes
the connection, too (as lingering_close of nginx).
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

MAX_DROPPED_BYTES: Final = 64 << 20
"""A client that sends more than this after its answer is disconnected. `timeout_head` limits the time."""


class LingeringTransport:
    """The transport of a listener's connection: `close` lingers if the client may still send a part of its request."""

    __slots__ = ("_connection", "_transport", "is_closing", "is_refused", "write")

    def __init__(self, connection: Any, transport: asyncio.Transport) -> None:
        self._connection = connection
        self._transport = transport
        # attributes instead of methods, because each response needs these two calls
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.is_refused = False
        """Whether the parser has given up, so that nothing shows where the request ends."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    @property
    def inner(self) -> asyncio.Transport:
        """The transport of the event loop."""
        return self._transport

    def close(self) -> None:
        """Close the connection when all that was written is sent."""
        cycle = self._connection.cycle
        has_more = self.is_refused or (cycle is not None and cycle.more_body and cycle.response_complete)
        if has_more and not self.is_closing():
            self._linger()
        else:
            self._transport.close()

    def _linger(self) -> None:
        """Send the end of the data, and drop what the client still sends until it closes the connection."""
        transport = self._transport
        self.write, self.is_closing = _write_nothing, _is_closing
        self._connection.lingers = True
        self._connection.reader.stop()
        if transport.can_write_eof():  # TLS can't
            transport.write_eof()
        transport.set_protocol(_Dropping(self._connection, transport))
        transport.resume_reading()


class _Dropping(asyncio.Protocol):
    """Drops the data of a client that was answered."""

    def __init__(self, connection: Any, transport: asyncio.Transport) -> None:
        self._connection = connection
        self._transport = transport
        self._left = MAX_DROPPED_BYTES

    def data_received(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.connection_lost(exc)


def _write_nothing(data: Any) -> None: ...


def _is_closing() -> bool:
    return True

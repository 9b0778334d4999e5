"""Passes the data of a client to a protocol in small pieces, one in each turn of the event loop.

A transport reads up to 256 KB at once, for example 40,000 tiny frames or 10,000 requests. While these are parsed, all
other clients wait, and the parsed objects take a hundred times as much memory as the bytes. So the rest of a long read
waits as bytes, and the transport is not read meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

PIECE_BYTES: Final = 4096


class PacedReader:
    """The bytes of one connection that wait to be parsed. uvicorn pauses and resumes this object like a transport.

    `take(piece)` parses a piece; `waits()` returns whether the protocol wants no further piece now.
    """

    __slots__ = ("_take", "_transport", "_turn", "_waits", "ahead", "is_paused")

    def __init__(self, transport: asyncio.Transport, take: Callable[[bytes], None], waits: Callable[[], bool]) -> None:
        self._transport = transport
        self._take = take
        self._waits = waits
        self.ahead = bytearray()
        """The bytes that wait to be parsed."""
        self.is_paused = False
        """Whether the transport was told to pause reading, and not yet to resume it."""
        self._turn: asyncio.Handle | None = None

    @property
    def is_reading(self) -> bool:
        """Whether the next bytes of the client would be parsed at once."""
        return not self.ahead and not self._waits()

    def receive(self, data: bytes) -> None:
        """Parse a short read at once, and the first piece of a long read."""
        if not self.ahead and len(data) <= PIECE_BYTES:
            self._take(data)
            return
        begins = not self.ahead
        self.ahead += data
        if begins:
            self._go_on()
        else:
            self._pause()

    def update(self) -> None:
        """Resume or pause reading. To be called when the result of `waits` may have changed."""
        if self._transport.is_closing():
            return
        if self._waits():
            self._pause()
        elif not self.ahead:
            self._resume()
        elif self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._go_on)

    pause_reading = resume_reading = update

    def _pause(self) -> None:
        self.is_paused = True
        self._transport.pause_reading()

    def _resume(self) -> None:
        self.is_paused = False
        self._transport.resume_reading()

    def stop(self) -> bool:
        """Parse nothing any more, and forget the protocol. Return whether bytes were waiting."""
        waited = bool(self.ahead)
        self.ahead.clear()
        self._take, self._waits = _ignore, _never
        return waited

    def _go_on(self) -> None:
        self._turn = None
        if self._transport.is_closing():
            self.ahead.clear()
        if not self.ahead or self._waits():
            return
        piece = bytes(self.ahead[:PIECE_BYTES])
        del self.ahead[:PIECE_BYTES]
        if not self.ahead:
            self._resume()  # before the piece, which may change the protocol or pause reading again
        self._take(piece)
        if self.ahead and not self._transport.is_closing():
            self._pause()
            self.update()


def _ignore(data: bytes) -> None: ...


def _never() -> bool:
    return False

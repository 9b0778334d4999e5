"""Websockets that each send a message and wait until it comes back: `echo_client PORT WEBSOCKETS SECONDS`.

The client compares bytes and parses nothing, so that it needs much less processor time than any server.
"""

from __future__ import annotations

import asyncio
import sys
from time import perf_counter
from typing import Final

from websockets.frames import Frame, Opcode

TEXT: Final = b"hello, everybody in this room"
SENT: Final = Frame(Opcode.TEXT, TEXT).serialize(mask=True)
AWAITED: Final = Frame(Opcode.TEXT, TEXT).serialize(mask=False)
HANDSHAKE: Final = (
    b"GET / HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Websocket(asyncio.Protocol):
    """One websocket. `opened` is done after the handshake; then `echoes` counts the messages that have come back."""

    def __init__(self, opened: asyncio.Future[None]) -> None:
        self.opened = opened
        self.echoes = 0
        self.fault = ""
        self.transport: asyncio.Transport
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's class is not a subclass
        self.transport.write(HANDSHAKE)

    def connection_lost(self, exc: Exception | None) -> None:
        self.fault = self.fault or "the server has closed a websocket"

    def data_received(self, data: bytes) -> None:
        if data == AWAITED and not self._got:
            self.echoes += 1
            self.transport.write(SENT)
            return
        self._got += data
        if not self.opened.done():
            if b"\r\n\r\n" in self._got:
                if not self._got.startswith(b"HTTP/1.1 101"):
                    self.fault = f"a handshake was answered with {self._got!r}"
                self._got = b""
                self.opened.set_result(None)
        elif self._got == AWAITED:
            self._got = b""
            self.data_received(AWAITED)
        elif len(self._got) >= len(AWAITED):
            self.fault = f"{self._got!r} came back"


async def main(port: int, number: int, seconds: float) -> None:
    """Open the websockets, send for a while, and print the number of messages."""
    loop = asyncio.get_running_loop()
    websockets = [Websocket(loop.create_future()) for _ in range(number)]
    for websocket in websockets:
        await loop.create_connection(lambda websocket=websocket: websocket, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.wait_for(asyncio.gather(*(websocket.opened for websocket in websockets)), 60)
    began = perf_counter()
    for websocket in websockets:
        websocket.transport.write(SENT)
    await asyncio.sleep(seconds)
    took = perf_counter() - began
    if faults := [websocket.fault for websocket in websockets if websocket.fault]:
        raise SystemExit(faults[0])
    print(f"{sum(websocket.echoes for websocket in websockets)} messages in {took:.3f}s")


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))

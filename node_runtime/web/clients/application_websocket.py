"""The connection of a websocket that an application serves itself: uvicorn's class, with the limits that it lacks."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from .client_log import ClientLogger
from .paced_reading import PacedReader

BAD_REQUEST: Final = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


def application_websocket_class(protocol: Any) -> Any:
    """Return a subclass of `protocol` if it is uvicorn's class for the library `websockets`; else return `protocol`."""
    if not hasattr(protocol, "handle_cont"):
        return protocol

    from websockets.exceptions import InvalidState  # only nodes with such websockets need it

    class ApplicationWebSocket(protocol):  # type: ignore[misc]  # the base class depends on what is installed
        def __init__(self, config: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(config, *args, **kwargs)
            self.limit_log = config.limit_log
            self.logger = ClientLogger(self.limit_log)
            self.resumed_writes = 0
            self.close_sent: bool
            self.disconnected: bool
            self.read_paused: bool
            self._reader: PacedReader

        def connection_made(self, transport: asyncio.Transport) -> None:
            self._reader = PacedReader(transport, self._parse, self._waits)
            super().connection_made(transport)

        def data_received(self, data: bytes) -> None:
            if self.handshake_initiated:
                self._reader.receive(data)
            else:
                self._open(data)

        def connection_lost(self, exc: Exception | None) -> None:
            self._reader.stop()
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._reader.update()  # else the answers to the client's pings would fill the memory

        def resume_writing(self) -> None:
            self.resumed_writes += 1
            super().resume_writing()
            self._reader.update()

        # If the listener has closed the websocket because of the client, the application's next message raises
        # ClientDisconnected. In uvicorn, this message raises a RuntimeError, which is logged as an error of the
        # application. So any client could have made a release on probation revert.

        def handle_parser_exception(self) -> None:
            super().handle_parser_exception()
            self.disconnected = True

        def keepalive_timeout(self) -> None:
            had_closed = self.close_sent
            super().keepalive_timeout()
            self.disconnected = self.disconnected or not had_closed

        def send_receive_event_to_app(self) -> None:
            try:
                super().send_receive_event_to_app()
            except InvalidState:
                self.transport.close()  # a text that is not UTF-8, in the same read as a close frame

        async def receive(self) -> Any:
            message = await self.queue.get()
            if self.read_paused and self.queue.empty():
                self.read_paused = False
                self._reader.update()
            return message

        def handle_cont(self, event: Any) -> None:
            if len(self.frames) < 2:
                self.frames.append(bytearray())
            self.frames[1] += event.data  # one object for all fragments, which may be empty
            if event.fin:
                self.send_receive_event_to_app()

        def _parse(self, data: bytes) -> None:
            super().data_received(data)

        def _open(self, data: bytes) -> None:
            """Handle the request of the handshake, which the HTTP parser passes as a whole."""
            super().data_received(data)
            if not self.handshake_initiated and not self.transport.is_closing():
                self.limit_log.add("the request for a websocket was not valid")
                self.transport.write(BAD_REQUEST)
                self.transport.close()

        def _waits(self) -> bool:
            return self.read_paused or not self.writable.is_set()

    return ApplicationWebSocket

"""A websocket's connection: an asyncio protocol, with the interface of uvicorn's classes for websockets.

The connection outlives every version of its handler: it parses what the client sends, answers pings, and casts the
messages to the handler's process. Both directions are bounded: a client isn't read while its messages wait, and a
client that doesn't read is disconnected.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

from node_runtime.processes import Exit, Pid, Target, runtime
from node_runtime.processes.exit_reasons import is_orderly
from node_runtime.processes.process import Process
from node_runtime.protocol.exit_codes import Refused
from node_runtime.web.clients.paced_reading import PacedReader

from .handler import Handshake
from .open_websockets import open_websockets
from .opening import Opening
from .proxies import Proxies
from .routes import WebSocketRoutes
from .supervisor import start_handler
from .wire import Wire, WireState

WEB_SUPERVISOR: Final = "web_sup"
"""The supervisor of a server that runs in no process."""
CLOSE_SECONDS: Final = 10.0
"""A client has this time to answer a close frame."""
SHUTDOWN_SECONDS: Final = 1.0
"""A client has this time to answer a close frame while the listener stops."""
UNHANDLED_MESSAGES: Final = 16
UNHANDLED_BYTES: Final = 1 << 16
"""When this number of messages or bytes has been cast, the client isn't read until the messages are handled."""

logger: Final = logging.getLogger("node_runtime")


class WebSocketConnection(asyncio.Protocol):
    """One connection of the listener `listener`, from the request of its handshake to its end."""

    def __init__(
        self, *, config: Any, server_state: Any, app_state: Any, listener: str, routes: WebSocketRoutes
    ) -> None:
        self._listener = listener
        self._proxies = Proxies(config.forwarded_allow_ips) if config.proxy_headers else None
        self._routes = routes
        self._connections: set[Any] = server_state.connections
        self.transport: asyncio.Transport
        self.resumed_writes = 0
        self._reader: PacedReader
        self._opening: Opening | None = Opening()
        """The handshake, until it is answered."""
        self._number = 0
        self._early: list[Callable[[], None]] = []
        """The calls of `send` and `close` that the handler makes before the handshake is answered."""
        self._wire: Wire | None = None
        self._process: Process | None = None
        self._max_unsent_bytes = 0
        self._ping_seconds = 0.0
        self._unhandled_messages = self._unhandled_bytes = 0
        self._waits_for_handler = self._waits_for_client = False
        self._heard = True
        """Whether the client has sent anything since the last ping."""
        self._unsent_at_ping = 0
        self._timer: asyncio.TimerHandle | None = None
        """The timer of the next ping or, while the connection ends, the timer of its abort."""
        self._is_ending = False

    # ------------------------------------------------------------------ called by the transport and the server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's class is not a subclass
        self._reader = PacedReader(self.transport, self._take, self._waits)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self._wire is None:
            self._take(data)  # the server passes the whole request at once
        else:
            self._reader.receive(data)

    def _take(self, data: bytes) -> None:
        if self._wire is not None:
            self._heard = True
            self._cast(self._wire.receive(data))
            self._write(self._wire.output())
        elif self._opening is not None:
            if self._opening.receive(data, self._routes, self.transport):
                if self._proxies is not None:
                    self._proxies.correct(self.handshake.scope)
                self._number = open_websockets().add(self)
                server = runtime().calling_process()
                above = WEB_SUPERVISOR if server is None else server.parent
                runtime().create_task(self._start(above, self._opening.reference))
                self._reader.update()
            self._write(self._opening.output())

    def eof_received(self) -> None:
        if self._wire is not None:
            self._wire.receive_end()
            self._write(self._wire.output())

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._reader.stop()
        self._is_ending = True
        if self._timer is not None:
            self._timer.cancel()
        open_websockets().forget(self._number)
        process, self._process = self._process, None
        if self._wire is not None:
            self._wire.receive_end()
            if process is not None:
                end = self._wire.closed_by_client or self._wire.closed_by_us or (1006, "")
                runtime().post(process, ("connection_ended", end, {}, None))
        elif process is not None:
            runtime().signal(process, process.pid, ("shutdown", "the client has disconnected"))

    def pause_writing(self) -> None:
        self._waits_for_client = True
        self._reader.update()

    def resume_writing(self) -> None:
        self.resumed_writes += 1
        self._waits_for_client = False
        self._reader.update()

    def shutdown(self) -> None:
        """Close the connection soon, because its listener stops."""
        self.close(1012, "the server restarts")
        self._answer(503, "The server stops.\n")
        self._end_within(SHUTDOWN_SECONDS)

    # ------------------------------------------------------------------ the handshake

    async def _start(self, above: Target, reference: str) -> None:
        try:
            await start_handler(above, self._listener, reference, self._number)
        except (Refused, Exit) as error:
            logger.error("a websocket was answered with 500, because its handler %s can't start: %s", reference, error)
            self._answer(500, "Internal Server Error\n")

    @property
    def handshake(self) -> Handshake:
        """The client's request for the websocket. May be read only until it is answered."""
        assert self._opening is not None
        return self._opening.handshake

    def taken(self, pid: Pid) -> None:
        """Assign the connection to a handler's process. The end of the process closes the connection."""
        node = runtime()
        self._process = node.find(pid)
        node.watch(self._process, self._process_ended)

    def accept(self) -> None:
        """Answer the handshake. Does nothing if the client has gone."""
        opening = self._opening
        if opening is None or self._is_ending:
            return
        self._opening = None
        opening.accept()
        self._write(opening.output())
        self._wire = Wire(WireState(opening.max_message_bytes))
        self._max_unsent_bytes, self._ping_seconds = opening.max_unsent_bytes, opening.ping_seconds
        self._timer = runtime().loop.call_later(self._ping_seconds, self._ping)
        early, self._early = self._early, []
        for act in early:
            act()
        if opening.ahead:
            self.data_received(opening.ahead)
        self._reader.update()

    def _answer(self, status: int, text: str) -> None:
        """Answer the handshake with an error, if it isn't answered yet."""
        if self._opening is not None and not self._is_ending:
            self._opening.reject(status, text)
            self._write(self._opening.output())

    # ------------------------------------------------------------------ from the client to the process

    def _cast(self, messages: list[str | bytes]) -> None:
        process = self._process
        if process is None or not messages:
            return
        node = runtime()
        self._unhandled_messages += len(messages)
        self._unhandled_bytes += sum(map(len, messages))
        handled: asyncio.Future[Any] | None = None
        if self._unhandled_messages >= UNHANDLED_MESSAGES or self._unhandled_bytes >= UNHANDLED_BYTES:
            self._unhandled_messages = self._unhandled_bytes = 0
            handled = node.loop.create_future()
            handled.add_done_callback(self._handled)
            self._waits_for_handler = True
            self._reader.update()
        last = len(messages) - 1
        for place, message in enumerate(messages):
            name = "handle_text" if isinstance(message, str) else "handle_bytes"
            node.post(process, (name, message, None, handled if place == last else None))

    def _handled(self, future: asyncio.Future[Any]) -> None:
        future.exception()  # if the process has ended instead, `_process_ended` handles that
        self._waits_for_handler = False
        self._reader.update()

    def _waits(self) -> bool:
        """Return whether reading from the client has to pause now."""
        return self._waits_for_client or (not self._is_ending and (self._wire is None or self._waits_for_handler))

    # ------------------------------------------------------------------ from the process to the client

    def send(self, message: str | bytes) -> None:
        """Send a message, but not before the handshake is answered. If the connection is closing, drop the message."""
        wire = self._wire
        if wire is None:
            self._early.append(partial(self.send, message))
            return
        if not wire.is_open:
            return
        unsent = self.transport.get_write_buffer_size()
        if unsent > self._max_unsent_bytes:
            self.close(1008, f"{unsent} bytes wait to be read")
            return
        if isinstance(message, str):
            wire.send_text(message)
        else:
            wire.send_bytes(message)
        self._write(wire.output())

    def close(self, code: int, reason: str) -> None:
        """Begin the close handshake, but not before the opening handshake is answered.

        Raises ValueError for a code or a reason that a close frame can't have.
        """
        wire = self._wire
        if wire is None:
            self._early.append(partial(self.close, code, reason))
        elif wire.is_open:
            wire.close(code, reason)
            self._write(wire.output())

    def _process_ended(self, reason: object) -> None:
        self._process = None
        if self._opening is not None:
            if not self._is_ending:
                self._opening.reject_after(reason)
                self._write(self._opening.output())
        elif not is_orderly(reason):
            self.close(1011, "")
        else:
            self.close(1000 if reason == "normal" else 1001, "")

    # ------------------------------------------------------------------ the transport

    def _write(self, output: list[bytes]) -> None:
        """Write the output of the protocol. After the end of the output, the client has limited time to disconnect."""
        ends = False
        for data in output:
            if data:
                self.transport.write(data)
            else:
                ends = True
        if ends and not self.transport.is_closing():
            if self.transport.can_write_eof():
                self.transport.write_eof()
            else:
                self.transport.close()
        if (ends or (self._wire is not None and not self._wire.is_open)) and not self._is_ending:
            self._end_within(CLOSE_SECONDS)

    def _end_within(self, seconds: float) -> None:
        """Give the client `seconds` to close the connection, and read its data until then."""
        self._is_ending = True
        if self._timer is not None:
            self._timer.cancel()
        self._timer = runtime().loop.call_later(seconds, self.transport.abort)
        self._reader.update()

    def _ping(self) -> None:
        """Ping the client, or end the connection if the client has sent and read nothing since the last ping."""
        assert self._wire is not None
        unsent = self.transport.get_write_buffer_size()
        silent = self._reader.is_reading and not self._heard
        stuck = self._waits_for_client and unsent == self._unsent_at_ping
        if silent or stuck:
            self.transport.abort()
            return
        self._heard, self._unsent_at_ping = False, unsent
        self._wire.ping()
        self._write(self._wire.output())
        self._timer = runtime().loop.call_later(self._ping_seconds, self._ping)

"""The connection of one client: uvicorn's protocol, with the limits that it lacks.

uvicorn has a protocol class for each parser. What differs between httptools and h11 is in a subclass for each.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Final
from urllib.parse import unquote

from uvicorn.protocols.http.flow_control import FlowControl

from .clients.client_limits import ClientLimits, LimitLog
from .clients.client_log import ClientLogger
from .clients.idle_connections import ConnectionLoop
from .clients.lingering_close import LingeringTransport
from .clients.paced_reading import PIECE_BYTES, PacedReader
from .clients.request_rules import may_open_websocket
from .clients.request_target import origin_form
from .websockets import connection_factory

HEAD_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)


def connection_class(protocol: Any) -> Any:
    """Return the class that a listener uses instead of `protocol`, uvicorn's class for one of its parsers."""
    of_listener = _listener_connection(protocol)
    return _with_httptools(of_listener) if hasattr(protocol, "on_headers_complete") else _with_h11(of_listener)


def _listener_connection(protocol: Any) -> Any:
    # The methods that each request needs are called directly: `super()` takes 0.2 µs.
    parse, finish_response = protocol.data_received, protocol.on_response_complete

    class ListenerConnection(protocol):  # type: ignore[misc]  # the base class depends on what is installed
        # All attributes of an object are slow if its `__dict__` has more than 30 entries. uvicorn itself sets 28.
        # So further attributes are slots.
        __slots__ = ("body_parts", "has_upgraded", "limit_log", "limits", "lingers", "reader", "resumed_writes")
        access_log: Any
        flow: Any
        headers: Any
        logger: Any
        loop: Any
        scope: Any
        transport: Any
        ws_protocol_class: Any

        def __init__(self, config: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(config, *args, **kwargs)
            self.access_log = config.access_log
            self.limits: ClientLimits = config.limits
            self.limit_log: LimitLog = config.limit_log
            self.logger = ClientLogger(self.limit_log)
            self.loop = ConnectionLoop(self.loop, config.idle_deadlines)
            self.body_parts = self.resumed_writes = 0
            self.has_upgraded = self.lingers = False
            self.reader: PacedReader
            if self.ws_protocol_class is None and config.websockets.routes:
                self.ws_protocol_class = connection_factory(config.listener, config.websockets)

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self.transport = LingeringTransport(self, transport)
            self.reader = PacedReader(transport, self.take, self.waits)
            self.flow = FlowControl(self.reader)  # type: ignore[arg-type]  # it only pauses and resumes reading
            if self.limits.connections is not None and len(self.connections) > self.limits.connections:
                self.limit_log.add(f"there were more than {self.limits.connections} at a time (limit_connections)")
                transport.close()
            elif self.limits.descriptors is not None and _descriptor(transport) >= self.limits.descriptors:
                self.limit_log.add("the descriptors of this OS process are almost used up (`ulimit -n`)")
                transport.close()

        def connection_lost(self, exc: Exception | None) -> None:
            self.reader.stop()
            super().connection_lost(exc)

        def waits(self) -> bool:
            """Return whether uvicorn wants no further bytes of the client now."""
            return bool(self.flow.read_paused)

        def data_received(self, data: bytes) -> None:
            if len(data) <= PIECE_BYTES and not self.reader.ahead:
                self.take(data)
            else:
                self.reader.receive(data)

        def take(self, data: bytes) -> None:
            """Parse a piece of the data that the client has sent."""
            self.body_parts += 1
            parse(self, data)
            if self.has_upgraded and self.reader.stop():
                self.limit_log.add("frames arrived before the handshake was answered")
                self.transport.abort()

        def resume_writing(self) -> None:
            self.resumed_writes += 1
            super().resume_writing()

        def on_response_complete(self) -> None:
            answered = self.cycle
            if answered.response_complete:
                # Frameworks put their routes and functions into the scope. An idle connection must not keep them.
                scope = answered.scope
                kept = {
                    "type": scope["type"],
                    "method": scope["method"],
                    "path": scope["path"],
                    "headers": scope["headers"],
                }  # the fields that `open_requests` shows
                if self.scope is scope:
                    self.scope = kept
                answered.scope = kept
            finish_response(self)
            if self.reader.is_paused:
                self.reader.update()  # uvicorn may have resumed reading, although a part of the last read still waits

        def refuse_head(self) -> None:
            """Answer that the head of a request, or its trailers, are too large, and close the connection.

            If a response has begun, the connection is closed without this answer.
            """
            self.limit_log.add("the head of the request was too large (limit_head_bytes)")
            self._refuse(HEAD_TOO_LARGE)

        def send_400_response(self, msg: str) -> None:
            self._drop_response()
            if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
                self.transport.abort()  # the client would read a second answer as a part of the first
            else:
                self.transport.is_refused = True
                super().send_400_response(msg)

        def _drop_response(self) -> None:
            # Further messages of the application for a broken request would be logged as errors of the application, and
            # count against a release on probation.
            if self.cycle is not None and not self.cycle.response_complete:
                self.cycle.disconnected = True
                self.cycle.message_event.set()

        def _refuse(self, answer: bytes) -> None:
            self._drop_response()
            if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
                self.transport.write(answer)
                self.transport.is_refused = True
                self.transport.close()
            else:
                self.transport.abort()

        def handle_websocket_upgrade(self, *event: Any) -> None:
            if not may_open_websocket(self.scope):
                self.limit_log.add("the request for a websocket was not valid")
                self.send_400_response("Bad Request")
                return
            self.has_upgraded = True
            self.transport = self.transport.inner
            target: bytes = event[0].target if event else self.url  # h11 passes the request, httptools doesn't
            if self.config.websockets.find(unquote(target.partition(b"?")[0].decode("latin-1"))) is not None:
                self.ws_protocol_class = connection_factory(self.config.listener, self.config.websockets)
            super().handle_websocket_upgrade(*event)

    return ListenerConnection


def _with_httptools(base: Any) -> Any:
    parse, on_body, start_task = base.take, base.on_body, base._start_asgi_task
    on_headers_complete, on_message_complete = base.on_headers_complete, base.on_message_complete

    class HttptoolsConnection(base):  # type: ignore[misc]
        """The connection for the parser httptools, which itself has no limits, and parses pipelined requests ahead."""

        __slots__ = ("_got_body", "_may_answer_at_once", "_next_data", "_piece", "_unfinished_bytes")
        headers: Any

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._got_body = False
            self._may_answer_at_once = False
            """Whether the next request is the first of a piece. Other requests wait for a turn of the event loop."""
            self._unfinished_bytes = 0
            """The number of bytes of an incomplete head, or of incomplete trailers, that have arrived."""
            self._piece = self._next_data = b""

        def waits(self) -> bool:
            return bool(self.pipeline) or super().waits()

        def take(self, data: bytes) -> None:
            before = self.cycle
            self._may_answer_at_once = True
            self._piece = data
            parse(self, data)
            self._may_answer_at_once = False
            while self._next_data and not self.transport.is_closing():
                self._piece, self._next_data = self._next_data, b""
                parse(self, self._piece)
            self._piece = b""
            if self.cycle is not before or self._got_body or self.has_upgraded:  # a complete head makes a new cycle
                self._got_body = False
                self._unfinished_bytes = 0
                return
            self._unfinished_bytes += len(data)
            if self._unfinished_bytes > self.limits.head_bytes and not self.transport.is_closing():
                self.refuse_head()

        def _start_asgi_task(self, cycle: Any, application: Any) -> None:
            if self._may_answer_at_once:
                self._may_answer_at_once = False
                if application is self.app and self.config.answer_at_once(cycle, self._start_task):
                    return
            start_task(self, cycle, application)

        def _start_task(self, cycle: Any, application: Any) -> None:
            start_task(self, cycle, application)

        def on_chunk_header(self) -> None:
            # httptools reports trailers as further headers. Trailers are left out: a front server hasn't checked them.
            self.headers = self.headers.copy()

        def on_headers_complete(self) -> None:
            connection: Any = self  # uvicorn's attributes have no slots
            url = connection.url
            if url[:1] != b"/" or b"#" in url:  # not `is_origin_form`: this runs for each request
                hosts = [value for name, value in self.headers if name == b"host"]
                # a ValueError becomes a 400
                connection.url = origin_form(connection.parser.get_method(), connection.url, hosts)
            if not (connection.parser.should_upgrade() and self._has_ignored_upgrade()):
                on_headers_complete(self)

        def on_message_complete(self) -> None:
            if not (self.parser.should_upgrade() and self._has_ignored_upgrade()):
                on_message_complete(self)

        def _has_ignored_upgrade(self) -> bool:
            parser = self.parser
            return parser.should_upgrade() and not self._should_upgrade() and parser.get_method() != b"CONNECT"

        def _unsupported_upgrade_warning(self) -> None:
            """Have the request parsed again without its Upgrade header. Called after the head.

            httptools takes the bytes after such a head for bytes of the other protocol, but the listener ignores the
            header. Without this method, the body would be lost, or its next piece would be parsed as a request.
            """
            stopped = sys.exception()
            if stopped is None or not self._has_ignored_upgrade():
                return
            connection: Any = self
            parser = connection.parser
            head = [parser.get_method(), b" ", connection.url, b" HTTP/", parser.get_http_version().encode(), b"\r\n"]
            for name, value in self.headers:
                if name != b"upgrade":
                    head += [name, b": ", value, b"\r\n"]
            self._next_data = b"".join([*head, b"\r\n", self._piece[stopped.args[0] :]])
            connection.parser = type(parser)(self)
            connection.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does

        def on_body(self, body: bytes) -> None:
            self._got_body = True
            on_body(self, body)

    return HttptoolsConnection


def _with_h11(base: Any) -> Any:
    from h11 import LocalProtocolError  # most nodes don't use h11

    from .clients.strict_lines import refuse_loose_lines

    class H11Connection(base):  # type: ignore[misc]
        """The connection for the parser h11, which itself limits incomplete events: `h11_max_incomplete_event_size`."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            refuse_loose_lines(self.conn)

        def send_400_response(self, msg: str) -> None:
            if len(self.conn.trailing_data[0]) > self.limits.head_bytes:
                self.refuse_head()
            elif self.cycle is not None and self.cycle.response_complete:
                self.transport.abort()  # h11 can't answer a request twice
            else:
                try:
                    super().send_400_response(msg)
                except LocalProtocolError:
                    self.transport.abort()  # the response to a HEAD has no body

    return H11Connection


def _descriptor(transport: asyncio.Transport) -> int:
    found = transport.get_extra_info("socket")
    return -1 if found is None else int(found.fileno())

"""The server of a listener: uvicorn, with what a process below a supervisor needs to be different.

uvicorn parses requests, writes responses and keeps the connections. The node handles signals and configures logging.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import unquote

import uvicorn
from starlette.types import ASGIApp

from .certificate_files import CertificateFiles
from .client_limits import BodyLimit, ClientLimits, LimitLog, SlowClients
from .server_options import DEFAULTS, OwnOptions, ServerOptions
from .websockets import WebSocketRoutes, connection_factory

ACCESS_LOGGER: Final = "uvicorn.access"
TICKS_PER_SECOND: Final = 10
"""How often uvicorn calls `on_tick`."""
HEAD_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)


class ServerConfig(uvicorn.Config):
    """The configuration of one listener's server. Unlike uvicorn's, it changes no logger that listeners share.

    `websockets` are the paths whose websockets are processes; other websockets are the application's.
    """

    def __init__(
        self, application: ASGIApp, options: ServerOptions, listener: str, websockets: WebSocketRoutes
    ) -> None:
        self.listener = listener
        self.websockets = websockets
        self.limits = ClientLimits.of(options)
        self.limit_log = LimitLog(listener)
        values: dict[str, Any] = {"h11_max_incomplete_event_size": self.limits.head_bytes, **DEFAULTS, **options}
        for own in OwnOptions.__optional_keys__:
            values.pop(own, None)
        proxied = "forwarded_allow_ips" in values
        super().__init__(
            application, lifespan="off", interface="asgi3", log_config=None, proxy_headers=proxied, **values
        )

    def configure_logging(self) -> None:
        """Let the server report warnings and errors only, and requests only to those who want an access log."""
        for name in ("uvicorn.error", ACCESS_LOGGER):
            if logging.getLogger(name).level == logging.NOTSET:
                logging.getLogger(name).setLevel(logging.INFO if name == ACCESS_LOGGER else logging.WARNING)

    def load(self) -> None:
        """Load what the options name, and let the protocol of each connection obey `access_log`."""
        super().load()
        if self.limits.body_bytes is not None:
            self.loaded_app = BodyLimit(self.loaded_app, self.limits.body_bytes, self.limit_log)
        self.http_protocol_class = connection_class(self.http_protocol_class)


class Server(uvicorn.Server):
    """A uvicorn server that handles no signals, and calls `on_started` when it accepts connections."""

    def __init__(self, config: ServerConfig, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started
        self._slow = SlowClients(config.limits, config.limit_log)
        self._certificate: CertificateFiles | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: Any = None) -> None:
        """Accept connections from now on."""
        self._certificate = CertificateFiles(self.config)
        await super().startup(sockets)
        self._on_started()

    async def on_tick(self, counter: int) -> bool:
        """Called by uvicorn ten times a second."""
        if counter % TICKS_PER_SECOND == 0:
            if self._certificate is not None:
                self._certificate.reload_if_changed()
            self._slow.end_slow(self.server_state.connections, asyncio.get_running_loop().time())
        return await super().on_tick(counter)


def connection_class(protocol: Any) -> Any:
    """Return a subclass of uvicorn's protocol class whose access log and websockets are its own listener's."""

    class ListenerConnection(protocol):  # type: ignore[misc]  # the base class depends on what is installed
        ws_protocol_class: Any

        def __init__(self, config: ServerConfig, *args: Any, **kwargs: Any) -> None:
            super().__init__(config, *args, **kwargs)
            self.access_log: bool = config.access_log
            self.limits, self.limit_log = config.limits, config.limit_log
            self.body_parts = self._head_bytes = 0
            if self.ws_protocol_class is None and config.websockets.routes:
                self.ws_protocol_class = connection_factory(config.listener, config.websockets)

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if self.limits.connections is not None and len(self.connections) > self.limits.connections:
                self.limit_log.add(f"more than {self.limits.connections} at a time")
                transport.close()

        def data_received(self, data: bytes) -> None:
            before = self.cycle
            self.body_parts += 1
            super().data_received(data)
            if self.cycle is not before or not (before is None or before.response_complete):
                self._head_bytes = 0
                return
            self._head_bytes += len(data)
            if self._head_bytes > self.limits.head_bytes and not self.transport.is_closing():
                self.limit_log.add("the head of the request was too large")
                self.transport.write(HEAD_TOO_LARGE)
                self.transport.close()

        def handle_websocket_upgrade(self, *event: Any) -> None:
            target: bytes = event[0].target if event else self.url  # h11 passes the request, httptools doesn't
            if self.config.websockets.find(unquote(target.partition(b"?")[0].decode("latin-1"))) is not None:
                self.ws_protocol_class = connection_factory(self.config.listener, self.config.websockets)
            super().handle_websocket_upgrade(*event)

    return ListenerConnection

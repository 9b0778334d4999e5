"""The server of a listener: uvicorn, adapted to a process below a supervisor.

uvicorn parses requests, writes responses and keeps the connections. The node handles signals and configures logging.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from .certificate_files import CertificateFiles
from .clients.application_websocket import application_websocket_class
from .clients.client_limits import ClientLimits, LimitLog, SlowClients
from .clients.idle_connections import IdleDeadlines
from .clients.request_gate import RequestGate
from .clients.request_rules import RequestRules
from .http_connection import connection_class
from .routing.routes import RoutingTable
from .server_options import DEFAULTS, OwnOptions, ServerOptions
from .websockets import WebSocketRoutes

ACCESS_LOGGER: Final = "uvicorn.access"
TICKS_PER_SECOND: Final = 10
"""How often uvicorn calls `on_tick`."""


class ServerConfig(uvicorn.Config):
    """The configuration of one listener's server. Unlike uvicorn's configuration, it leaves logging alone.

    `websockets` are the paths whose websockets are processes; other websockets are the application's.
    """

    def __init__(
        self,
        application: ASGIApp,
        options: ServerOptions,
        listener: str,
        websockets: WebSocketRoutes,
        gate: RequestGate,
    ) -> None:
        self.listener = listener
        self.websockets = websockets
        self.gate = gate
        self.limits = ClientLimits.of(options)
        self.limit_log = LimitLog(listener)
        values: dict[str, Any] = {"h11_max_incomplete_event_size": self.limits.head_bytes, **DEFAULTS, **options}
        for own in OwnOptions.__optional_keys__:
            values.pop(own, None)
        self.idle_deadlines = IdleDeadlines(values["timeout_keep_alive"])
        self._table: RoutingTable | None = None
        proxied = "forwarded_allow_ips" in values
        super().__init__(
            application, lifespan="off", interface="asgi3", log_config=None, proxy_headers=proxied, **values
        )

    def configure_logging(self) -> None:
        """Set the levels of uvicorn's loggers, unless they are set: INFO for the access log, WARNING for all else."""
        for name in ("uvicorn.error", ACCESS_LOGGER):
            if logging.getLogger(name).level == logging.NOTSET:
                logging.getLogger(name).setLevel(logging.INFO if name == ACCESS_LOGGER else logging.WARNING)

    def load(self) -> None:
        """Load the application and the classes of connections, and add the limits and rules of the listener to them."""
        super().load()
        loaded = self.loaded_app
        self.loaded_app = self._rules = RequestRules(loaded, self.limits.body_bytes, self.limit_log, self.gate)
        self._table = loaded if isinstance(loaded, RoutingTable) else None
        self.http_protocol_class = connection_class(self.http_protocol_class)
        if self.ws_protocol_class is not None:
            self.ws_protocol_class = application_websocket_class(self.ws_protocol_class)

    def answer_at_once(self, cycle: Any, start_task: Callable[..., None]) -> bool:
        """Answer a request without a task, if that is possible; see `request_process.answer_at_once`.

        While the gate is closed, this is not possible: the request needs a task that waits at the gate.
        """
        table = self._table
        return (
            table is not None
            and not self.gate.is_closed
            and self._rules.is_simple(cycle.scope)
            and table.answer_at_once(cycle, start_task)
        )


class Server(uvicorn.Server):
    """A uvicorn server that handles no signals, and calls `on_started` when it accepts connections."""

    def __init__(self, config: ServerConfig, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started
        self._idle_deadlines = config.idle_deadlines
        self._limits = config.limits
        self._slow = SlowClients(config.limits, config.limit_log)
        self._certificate: CertificateFiles | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections on the sockets from now on."""
        config, loop = self.config, asyncio.get_running_loop()
        self._certificate = CertificateFiles(config)
        if sockets is None:  # uvicorn opens the sockets that the configuration names; a listener opens its own
            await super().startup()
            self._on_started()
            return

        def connection() -> asyncio.Protocol:
            protocol: Any = config.http_protocol_class
            made: asyncio.Protocol = protocol(config=config, server_state=self.server_state, app_state={}, _loop=loop)
            return made

        # uvicorn's own method, which this replaces, sets no limit for the TLS handshake.
        limit = None if config.ssl is None else self._limits.head_seconds
        self.servers = [
            await loop.create_server(
                connection, sock=bound, ssl=config.ssl, backlog=config.backlog, ssl_handshake_timeout=limit
            )
            for bound in sockets
        ]
        self.started = True
        self._on_started()

    async def on_tick(self, counter: int) -> bool:
        """Called by uvicorn ten times a second; once a second, reload a changed certificate and end slow clients."""
        if counter % TICKS_PER_SECOND == 0:
            if self._certificate is not None:
                self._certificate.reload_if_changed()
            now = asyncio.get_running_loop().time()
            self._idle_deadlines.tick(now)
            self._slow.end_slow(self.server_state.connections, now)
        return await super().on_tick(counter)

"""The opening handshake of a websocket: a request, the handler for it, and the response."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final
from urllib.parse import unquote

from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol

from node_runtime.processes.exit_reasons import is_orderly
from node_runtime.protocol.exit_codes import Refused

from .handler import Handshake, WebSocketHandler
from .routes import WebSocketRoutes, handler_class
from .wire import logger as wire_logger

logger: Final = logging.getLogger("node_runtime")

HEAD_END: Final = b"\r\n\r\n"


class Opening:
    """The handshake of one connection. `output` returns the bytes that the methods have produced.

    The handler's class is used only here, and not kept: a connection must not keep an old version of it.
    """

    def __init__(self) -> None:
        self._protocol = ServerProtocol(logger=wire_logger)
        self._received = b""
        self._response: Response | None = None
        self.reference = ""
        """The "module:Class" of the handler."""
        self.handshake: Handshake
        self.max_message_bytes = self.max_unsent_bytes = 0
        self.ping_seconds = 0.0

    @property
    def ahead(self) -> bytes:
        """The bytes that the client has sent after its request."""
        return self._received.partition(HEAD_END)[2]

    def output(self) -> list[bytes]:
        """Return what has to be written, in order. An empty entry is the end of the output."""
        return self._protocol.data_to_send()

    def receive(self, data: bytes, routes: WebSocketRoutes, transport: asyncio.Transport) -> bool:
        """Parse bytes from the client.

        Return True when the request is complete and accepted, so that its handler is started.
        """
        self._received += data
        if self._response is not None:
            return False
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                return self._find_handler(event, routes, transport)
        return False

    def _find_handler(self, request: Request, routes: WebSocketRoutes, transport: asyncio.Transport) -> bool:
        raw_path, _, query = request.path.partition("?")
        path = unquote(raw_path)
        found = routes.find(path)
        if found is None:
            self.reject(404, "Not Found\n")
            return False
        self.reference, parameters = found
        try:
            handler = handler_class(self.reference)
        except Refused as refusal:
            logger.error("a websocket was answered with 500: %s", refusal)
            self.reject(500, "Internal Server Error\n")
            return False
        self.max_message_bytes, self.max_unsent_bytes = handler.max_message_bytes, handler.max_unsent_bytes
        self.ping_seconds = handler.ping_seconds
        self._protocol = ServerProtocol(
            origins=_allowed_origins(handler, request.headers.get("Host", "")),
            subprotocols=[Subprotocol(name) for name in handler.subprotocols] or None,
            logger=wire_logger,
        )
        self._protocol.receive_data(self._received.partition(HEAD_END)[0] + HEAD_END)
        self._response = self._protocol.accept(request)
        if self._response.status_code != 101:
            self._protocol.send_response(self._response)
            return False
        raw_headers = request.headers.raw_items()
        self.handshake = Handshake(
            {
                "type": "websocket",
                "http_version": "1.1",
                "scheme": "wss" if transport.get_extra_info("sslcontext") else "ws",
                "server": _address(transport.get_extra_info("sockname")),
                "client": _address(transport.get_extra_info("peername")),
                "root_path": "",
                "path": path,
                "raw_path": raw_path.encode("latin-1"),
                "query_string": query.encode("latin-1"),
                "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in raw_headers],
                "path_params": parameters,
                "subprotocol": self._protocol.subprotocol,
            }
        )
        return True

    def accept(self) -> None:
        """Answer that the websocket is open."""
        assert self._response is not None
        self._protocol.send_response(self._response)

    def reject(self, status: int, text: str) -> None:
        """Answer with an error. Raises ValueError for an unknown status."""
        self._response = self._protocol.reject(status, text)
        self._protocol.send_response(self._response)

    def reject_after(self, reason: object) -> None:
        """Answer with an error that depends on the exit reason of the handler's process."""
        match reason:
            case ("shutdown", ("rejected", int(status), str(text))):
                self.reject(status, text)
            case _ if is_orderly(reason):
                self.reject(503, "Service Unavailable\n")
            case _:
                self.reject(500, "Internal Server Error\n")


def _allowed_origins(handler: type[WebSocketHandler[Any]], host: str) -> list[Origin | None] | None:
    """Return the origins that a handler accepts for a request to `host`; None if it accepts all."""
    named = handler.origins
    if named is None:
        named = (f"http://{host.lower()}", f"https://{host.lower()}")
    return None if "*" in named else [*map(Origin, named), None]


def _address(found: Any) -> tuple[str, int] | None:
    return (str(found[0]), int(found[1])) if isinstance(found, tuple) and len(found) >= 2 else None

"""Websockets as processes: `WebSocketHandler`, and the connection that casts a client's messages to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial

from node_runtime.protocol.exit_codes import Refused

from .handler import Handshake, Rejected, WebSocketHandler
from .routes import WebSocketRoute, WebSocketRoutes, handler_class
from .supervisor import stop_handlers

__all__ = [
    "Handshake",
    "Rejected",
    "WebSocketHandler",
    "WebSocketRoute",
    "WebSocketRoutes",
    "check_websockets",
    "connection_factory",
    "stop_handlers",
]


def check_websockets(listener: str, routes: Iterable[WebSocketRoute]) -> None:
    """Raise `Refused` if a handler of a listener's websockets can't be used, or the release lacks their library."""
    for route in routes:
        handler_class(route.handler)
        connection_factory(listener, WebSocketRoutes())


def connection_factory(listener: str, routes: WebSocketRoutes) -> Callable[..., asyncio.Protocol]:
    """Return the factory that uvicorn calls, with keyword arguments, for each websocket of a listener.

    Raises `Refused` if the release lacks the library `websockets`, which only listeners with websockets need.
    """
    try:
        from .connection import WebSocketConnection
    except ImportError:
        raise Refused(
            f"the listener {listener!r} can't serve websockets without the library websockets; "
            'add it to the requirements in release.toml, as in "websockets==16.0"'
        ) from None
    return partial(WebSocketConnection, listener=listener, routes=routes)

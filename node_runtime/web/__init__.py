"""Supervised HTTP servers: uvicorn listeners as processes, whose code can be replaced while they run.

A listener serves an ASGI application (`start_asgi`) or routes (`start_http`). The handler of a route is a function that
takes a `Request` and returns a `Response`; both are Starlette's.
"""

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response

from node_runtime.releases.workers.worker_number import Worker, worker

from .app import APPLICATION
from .listener import (
    asgi_child,
    port,
    routes,
    set_routes,
    set_websockets,
    settled,
    start_asgi,
    start_health,
    start_http,
    stop_http,
)
from .open_requests import OpenRequest, open_requests
from .routing.routes import Route
from .server_options import ServerOptions
from .websockets import Handshake, Rejected, WebSocketHandler, WebSocketRoute

__all__ = [
    "APPLICATION",
    "HTMLResponse",
    "Handshake",
    "JSONResponse",
    "OpenRequest",
    "PlainTextResponse",
    "RedirectResponse",
    "Rejected",
    "Request",
    "Response",
    "Route",
    "ServerOptions",
    "WebSocketHandler",
    "WebSocketRoute",
    "Worker",
    "asgi_child",
    "open_requests",
    "port",
    "routes",
    "set_routes",
    "set_websockets",
    "settled",
    "start_asgi",
    "start_health",
    "start_http",
    "stop_http",
    "worker",
]

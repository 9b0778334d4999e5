"""Supervised HTTP servers: uvicorn listeners as processes, with routes that can be replaced while they run.

A handler is a function that takes a `Request` and returns a `Response`; both are Starlette's.
"""

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response

from .app import APPLICATION
from .listener import port, routes, set_routes, settled, start_http, stop_http
from .routes import Route

__all__ = [
    "APPLICATION",
    "HTMLResponse",
    "JSONResponse",
    "PlainTextResponse",
    "RedirectResponse",
    "Request",
    "Response",
    "Route",
    "port",
    "routes",
    "set_routes",
    "settled",
    "start_http",
    "stop_http",
]

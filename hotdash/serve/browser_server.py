"""The HTTP server of `hotdash serve`: textual-serve's pages, behind the checks of `Access`.

textual-serve starts one process for each websocket and connects it with the page. textual-serve itself checks nothing,
so each request passes through one function here, whatever its route.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final

from node_runtime.protocol.exit_codes import Refused

from .access import Access
from .browser_page import MAX_MESSAGE_BYTES, BrowserPage

MAX_PAGES = 8
"""The maximum number of pages that are open at the same time; each has a process of its own."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self' {websocket}; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers of every response. The policy also keeps textual-serve's page from loading fonts from another site."""

logger: Final = logging.getLogger("hotdash.serve")


def bind_loopback(port: int) -> socket.socket:
    """Return a socket that is bound to `port` of the loopback interface, or to a free port if `port` is 0.

    Raises Refused if the port is not free.
    """
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
    except OSError as error:
        bound.close()
        raise Refused(f"Port {port} can't be used: {error.strerror}; choose another with --port.") from None
    return bound


class BrowserServer:
    """Serves `command`, a dashboard, at `access.origin`; `show_link` is called with each link that can be opened."""

    def __init__(self, command: str, access: Access, title: str, show_link: Callable[[str], object]) -> None:
        """Raises Refused if textual-serve is not installed."""
        try:
            import aiohttp_jinja2
            import jinja2
            from aiohttp import web
            from textual_serve.app_service import AppService
            from textual_serve.server import Server
        except ImportError:
            raise Refused(
                "The dashboard in a browser needs textual-serve; install it with `pip install 'hotdash[serve]'`."
            ) from None
        self._web: Any = web
        self._access = access
        self._show_link = show_link
        self._pages = 0
        self._command = command
        self._service_class: Any = AppService
        logger.addFilter(_is_not_malformed_request)
        self._server: Any = Server(command, title=title, public_url=access.origin)

        async def check(request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
            return await self._check(request, handler)

        self._app: Any = web.Application(middlewares=[web.middleware(check)])
        aiohttp_jinja2.setup(self._app, loader=jinja2.FileSystemLoader(self._server.templates_path))
        self._app.add_routes(
            [
                web.get("/", self._server.handle_index, name="index"),
                web.get("/enter", self._enter, name="enter"),
                web.get("/ws", self._websocket, name="websocket"),
                web.get("/download/{key}", self._server.handle_download, name="download"),
                web.static("/static", self._server.statics_path, name="static"),
            ]
        )

    async def serve(self, bound: socket.socket, until: asyncio.Event) -> None:
        """Serve on a bound socket until the event is set."""
        runner = self._web.AppRunner(self._app, access_log=None, logger=logger, shutdown_timeout=10.0)
        await runner.setup()
        try:
            await self._web.SockSite(runner, bound).start()
            self._show_link(self._access.new_link())
            await until.wait()
        finally:
            await runner.cleanup()

    async def _check(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        """Refuse every request without a session, whatever its route, and add the headers to every response."""
        response = self._refusal(request)
        try:
            if response is None:
                response = await handler(request)
        except self._web.HTTPException as error:
            response = self._web.Response(status=error.status, text=error.reason, headers=_location(error))
        if not response.prepared:
            self._add_headers(response)
        return response

    def _refusal(self, request: Any) -> Any:
        websocket = request.path == "/ws"
        origin = request.headers.get("Origin")
        refusal = self._access.refusal(request.headers.get("Host", ""), origin, origin_required=websocket)
        cookie = request.cookies.get(self._access.cookie_name, "")
        if not refusal and request.path != "/enter" and not self._access.is_session(cookie):
            refusal = "Open the link that 'hotdash serve' has printed; each link works once."
        return self._web.Response(status=403, text=f"{refusal}\n") if refusal else None

    def _add_headers(self, response: Any) -> None:
        websocket = "wss:" if self._access.secure else "ws:"
        websocket = f"{websocket}//{self._access.host}"
        for name, value in _HEADERS.items():
            response.headers[name] = value.format(websocket=websocket)

    async def _enter(self, request: Any) -> Any:
        """Exchange the token of a link for a session cookie, and redirect the browser to the page."""
        session = self._access.enter(request.query.get("token", ""))
        if session is None:
            text = "This link has been used or is too old; open the last link that 'hotdash serve' has printed.\n"
            return self._web.Response(status=403, text=text)
        response = self._web.Response(status=303, headers={"Location": "/"})
        response.set_cookie(
            self._access.cookie_name, session, httponly=True, samesite="Strict", secure=self._access.secure, path="/"
        )
        self._show_link(self._access.new_link())
        return response

    async def _websocket(self, request: Any) -> Any:
        if self._pages >= MAX_PAGES:
            return self._web.Response(status=503, text=f"{MAX_PAGES} pages are open; close one of them.\n")
        self._pages += 1
        try:
            websocket = self._web.WebSocketResponse(heartbeat=15, max_msg_size=MAX_MESSAGE_BYTES)
            await websocket.prepare(request)
            service = self._service_class(
                self._command,
                write_bytes=websocket.send_bytes,
                write_str=websocket.send_str,
                close=websocket.close,
                download_manager=self._server.download_manager,
            )
            await BrowserPage(websocket, service).run(request.query.get("width", ""), request.query.get("height", ""))
            await websocket.close()
            return websocket
        finally:
            self._pages -= 1


def _is_not_malformed_request(record: logging.LogRecord) -> bool:
    """Return whether a log record has another cause than a malformed request.

    Every user of the machine can send such requests, and would fill the terminal that shows the link with tracebacks.
    """
    from aiohttp.http_exceptions import HttpProcessingError

    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


def _location(error: Any) -> dict[str, str]:
    return {"Location": error.headers["Location"]} if "Location" in error.headers else {}

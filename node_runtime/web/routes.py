"""The routing table of a listener, and the process that runs the handler of a request.

A route names its handler as `"module:function"`. The name is looked up at every request, so a newly loaded version of a
module answers from the next request on, while a running request finishes in the version in which it started.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from starlette import routing
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from node_runtime.behaviours.code_references import resolve_reference
from node_runtime.processes import runtime, spawn
from node_runtime.processes.wait_graph import wait_for_end

logger: Final = logging.getLogger("node_runtime")

_FAILED: Final = PlainTextResponse("Internal Server Error", status_code=500)


@dataclass(frozen=True, slots=True)
class Route:
    """A path and the name of the function that answers its requests.

    `path` is written as in Starlette: `"/"`, `"/which-color.json"`, `"/users/{id:int}"` (then
    `request.path_params["id"]`). `handler` is `"module:function"`; the function takes a `Request`, may be plain or
    `async def`, and returns a `Response`. The function gets requests with every HTTP method. Raises `ValueError` for a
    malformed path or name. Follows cowboy_router:dispatch_rules().
    """

    path: str
    handler: str

    def __post_init__(self) -> None:
        module, _, function = self.handler.partition(":")
        if not (module and function):
            raise ValueError(f"the handler {self.handler!r} of {self.path!r} must be written as 'module:function'")
        if not self.path.startswith("/"):
            raise ValueError(f"the path {self.path!r} must begin with '/'")


class RoutingTable:
    """The ASGI application of one listener. A request uses the routes that are current when it arrives."""

    __slots__ = ("_current", "_earlier", "_settled")

    def __init__(self, routes: Iterable[Route]) -> None:
        self._current = _RoutingTableVersion(routes)
        self._earlier: set[_RoutingTableVersion] = set()
        self._settled = asyncio.Event()

    @property
    def routes(self) -> tuple[Route, ...]:
        """The current routes."""
        return self._current.routes

    def replace(self, routes: Iterable[Route]) -> None:
        """Replace all routes at once: no request sees a mixture."""
        version = _RoutingTableVersion(routes)
        if self._current.requests:
            self._earlier.add(self._current)
        self._current = version

    async def settled(self) -> None:
        """Wait until no request that uses earlier routes is running."""
        while self._earlier:
            self._settled.clear()
            await self._settled.wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        version = self._current
        version.requests += 1
        try:
            await version.router(scope, receive, send)
        finally:
            version.requests -= 1
            if not version.requests and version in self._earlier:
                self._earlier.remove(version)
                self._settled.set()


class _RoutingTableVersion:
    """One set of routes, and the number of running requests that use it."""

    __slots__ = ("requests", "router", "routes")

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self.router = routing.Router(
            [routing.Route(route.path, _RouteEndpoint(route.handler)) for route in self.routes]
        )
        self.requests = 0


class _RouteEndpoint:
    """Answers each request in a separate process, which is listed and can be ended like any other process."""

    __slots__ = ("handler",)

    def __init__(self, handler: str) -> None:
        self.handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = False

        async def observed(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        node = runtime()
        process = node.find(spawn(_respond, self.handler, Request(scope, receive), observed))
        try:
            await wait_for_end(process)
        except asyncio.CancelledError:
            node.signal(process, process.parent, "shutdown")
            raise
        if not began:
            await _FAILED(scope, receive, send)


async def _respond(handler: str, request: Request, send: Send) -> None:
    """Run a request's process: look up the handler by name, call it, and send its response."""
    try:
        response = resolve_reference(handler)(request)
        if inspect.isawaitable(response):
            response = await response
        if not isinstance(response, Response):
            raise TypeError(f"{handler} must return a Response, not {type(response).__name__}")
    except Exception:
        logger.exception("%s failed to answer %s %s", handler, request.method, request.url.path)
        response = _FAILED
    await response(request.scope, request.receive, send)

"""Which handler answers which path: the dispatch table of a listener, and how a request reaches its handler.

A route names its handler as `"module:function"`. The name is looked up at every request, so a module that was loaded
anew answers from the next request on, while a request that is already under way ends in the version that it began in.
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

from node_runtime.behaviours.starting import resolve
from node_runtime.processes import runtime, spawn
from node_runtime.processes.wait_graph import end_of

logger: Final = logging.getLogger("node_runtime")

_FAILED: Final = PlainTextResponse("Internal Server Error", status_code=500)


@dataclass(frozen=True, slots=True)
class Route:
    """One path and the name of the function that answers it.

    `path` is Starlette's form: `"/"`, `"/which-color.json"`, `"/users/{id:int}"` (then `request.path_params["id"]`).
    `handler` is `"module:function"`; the function takes a `Request`, may be plain or `async def`, and returns a
    `Response`. It sees every HTTP method. Raises `ValueError` for a path or a name of another form. Follows
    cowboy_router:dispatch_rules().
    """

    path: str
    handler: str

    def __post_init__(self) -> None:
        module, _, function = self.handler.partition(":")
        if not (module and function):
            raise ValueError(f"the handler {self.handler!r} of {self.path!r} must be written as 'module:function'")
        if not self.path.startswith("/"):
            raise ValueError(f"the path {self.path!r} must begin with '/'")


class Dispatch:
    """The ASGI application of one listener. A request takes the table that stands at the moment it arrives."""

    __slots__ = ("_earlier", "_settled", "_table")

    def __init__(self, routes: Iterable[Route]) -> None:
        self._table = _Table(routes)
        self._earlier: set[_Table] = set()
        self._settled = asyncio.Event()

    @property
    def routes(self) -> tuple[Route, ...]:
        """The table as it stands now."""
        return self._table.routes

    def replace(self, routes: Iterable[Route]) -> None:
        """Put another table in this one's place, whole: no request sees a mixture."""
        table = _Table(routes)
        if self._table.requests:
            self._earlier.add(self._table)
        self._table = table

    async def settled(self) -> None:
        """Return when no request is under way that took an earlier table."""
        while self._earlier:
            self._settled.clear()
            await self._settled.wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        table = self._table
        table.requests += 1
        try:
            await table.router(scope, receive, send)
        finally:
            table.requests -= 1
            if not table.requests and table in self._earlier:
                self._earlier.remove(table)
                self._settled.set()


class _Table:
    """A table of routes, and how many requests are under way that took it."""

    __slots__ = ("requests", "router", "routes")

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self.router = routing.Router([routing.Route(route.path, _Endpoint(route.handler)) for route in self.routes])
        self.requests = 0


class _Endpoint:
    """Lets each request be answered by a process of its own, so that it is seen, and can be ended, as any other."""

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
            await end_of(process)
        except asyncio.CancelledError:
            node.signal(process, process.parent, "shutdown")
            raise
        if not began:
            await _FAILED(scope, receive, send)


async def _respond(handler: str, request: Request, send: Send) -> None:
    """A request's process: call what the handler's name means now, and send what it returns."""
    try:
        response = resolve(handler)(request)
        if inspect.isawaitable(response):
            response = await response
        if not isinstance(response, Response):
            raise TypeError(f"{handler} must return a Response, not {type(response).__name__}")
    except Exception:
        logger.exception("%s failed to answer %s %s", handler, request.method, request.url.path)
        response = _FAILED
    await response(request.scope, request.receive, send)

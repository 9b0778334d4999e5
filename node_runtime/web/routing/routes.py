"""The routing table of a listener.

A route names its handler as `"module:function"`. The name is looked up at every request, so a newly loaded version of a
module answers from the next request on, while a running request finishes in the version in which it started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette import routing
from starlette.types import Receive, Scope, Send

from node_runtime.behaviours.code_references import ParsedReference, resolve_reference
from node_runtime.protocol.exit_codes import Refused

from .request_process import RequestCount, answer_at_once, respond


@dataclass(frozen=True, slots=True)
class Route:
    """A path and the name of the function that answers its requests.

    `path` is written as in Starlette: `"/"`, `"/which-color.json"`, `"/users/{id:int}"` (the function finds this id as
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


def check_handlers(routes: Iterable[Route]) -> None:
    """Raise `Refused` if a route names a handler that doesn't exist or can't be called."""
    for route in routes:
        try:
            handler = resolve_reference(route.handler)
        except (LookupError, ImportError) as error:
            why = str(error.args[0]) if error.args else type(error).__name__
        else:
            if callable(handler):
                continue
            why = f"it is a {type(handler).__name__}, not a function"
        raise Refused(
            f"the handler {route.handler!r} of the route {route.path!r} can't be used: {why}; correct its name"
        )


class RoutingTable:
    """The ASGI application of one listener. A request uses the routes that are current when it arrives."""

    __slots__ = ("_current", "_earlier", "_settled")

    def __init__(self, routes: Iterable[Route]) -> None:
        self._current = _RoutingTableVersion(routes)
        self._earlier: set[RequestCount] = set()
        self._settled = asyncio.Event()

    @property
    def routes(self) -> tuple[Route, ...]:
        """The current routes."""
        return self._current.routes

    def replace(self, routes: Iterable[Route]) -> None:
        """Replace all routes at once: no request sees a mixture."""
        before, self._current = self._current, _RoutingTableVersion(routes)
        if before.requests.number:
            self._earlier.add(before.requests)
            before.requests.on_unused = partial(self._unused, before.requests)

    def _unused(self, requests: RequestCount) -> None:
        self._earlier.remove(requests)
        self._settled.set()

    async def settled(self) -> None:
        """Wait until no running request uses routes that were replaced."""
        while self._earlier:
            self._settled.clear()
            await self._settled.wait()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Return the coroutine that answers a request."""
        endpoint = self._plain_endpoint(scope)
        if endpoint is None:
            return self._current.router(scope, receive, send)
        return respond(endpoint.handler, endpoint.requests, scope, receive, send)

    def answer_at_once(self, cycle: Any, start_task: Callable[..., None]) -> bool:
        """Answer a request without a body now, if a plain function handles it; return whether the request was answered.

        See `request_process.answer_at_once`.
        """
        scope = cycle.scope
        endpoint = self._plain_endpoint(scope)
        if endpoint is None:
            return False
        return answer_at_once(endpoint.handler, endpoint.requests, scope, start_task, cycle)

    def _plain_endpoint(self, scope: Scope) -> _RouteEndpoint | None:
        """Return the endpoint of a path without parameters, and note it in the scope, as Starlette's router does."""
        version = self._current
        endpoint = None if scope["root_path"] else version.plain.get(scope["path"])
        if endpoint is not None:
            scope["router"], scope["endpoint"], scope["path_params"] = version.router, endpoint, {}
        return endpoint


class _RoutingTableVersion:
    """One set of routes, and the number of running requests that use it."""

    __slots__ = ("plain", "requests", "router", "routes")

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self.plain: dict[str, _RouteEndpoint] = {}
        """The endpoints of the paths without parameters that come before the first path with parameters."""
        self.requests = RequestCount()
        made = []
        has_parameters = False
        for route in self.routes:
            endpoint = _RouteEndpoint(ParsedReference(route.handler), self.requests)
            made.append(routing.Route(route.path, endpoint))
            has_parameters = has_parameters or bool(made[-1].param_convertors)
            if not has_parameters:
                self.plain.setdefault(route.path, endpoint)
        self.router = routing.Router(made)


@dataclass(frozen=True, slots=True, eq=False)
class _RouteEndpoint:
    """Answers each request in a process of its own, which is listed and can be ended like any other process."""

    handler: ParsedReference
    requests: RequestCount

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return respond(self.handler, self.requests, scope, receive, send)

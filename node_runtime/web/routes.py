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
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from node_runtime.behaviours.code_references import resolve_reference
from node_runtime.processes.coroutine_process import current_task_as_process
from node_runtime.processes.crash_report import COUNTED, failures
from node_runtime.processes.process import DEAD
from node_runtime.protocol.exit_codes import Refused

logger: Final = logging.getLogger("node_runtime")

_FAILED: Final = PlainTextResponse("Internal Server Error", status_code=500)


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
            await version.find(scope)(scope, receive, send)
        finally:
            version.requests -= 1
            if not version.requests and version in self._earlier:
                self._earlier.remove(version)
                self._settled.set()


class _RoutingTableVersion:
    """One set of routes, and the number of running requests that use it."""

    __slots__ = ("_plain", "requests", "router", "routes")

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        made = [routing.Route(route.path, _RouteEndpoint(route.handler)) for route in self.routes]
        self.router = routing.Router(made)
        self._plain: dict[str, ASGIApp] = {}
        """The endpoints of the paths without parameters that come before the first path with parameters."""
        for route in made:
            if route.param_convertors:
                break
            self._plain.setdefault(route.path, route.app)
        self.requests = 0

    def find(self, scope: Scope) -> ASGIApp:
        """Return what answers a request: the endpoint of its path, or the router, which looks at all routes."""
        endpoint = None if scope.get("root_path") else self._plain.get(scope["path"])
        if endpoint is None:
            return self.router
        scope["router"], scope["endpoint"], scope["path_params"] = self.router, endpoint, {}
        return endpoint


class _RouteEndpoint:
    """Answers each request in a process, which is listed and can be ended like any other process."""

    __slots__ = ("handler",)

    def __init__(self, handler: str) -> None:
        self.handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = False

        async def observed(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        killed = False
        try:
            with current_task_as_process(_respond) as process:
                try:
                    await _respond(self.handler, Request(scope, receive), observed)
                except asyncio.CancelledError:
                    killed = process.run_state is DEAD
                    raise
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not killed or task is None:
                raise
            task.uncancel()
        except Exception as error:
            if began:
                raise RuntimeError(f"the response of {self.handler} could not be sent") from error
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
        failures().crashes += 1
        extra = {COUNTED: True}
        logger.exception("%s failed to answer %s %s", handler, request.method, request.url.path, extra=extra)
        response = _FAILED
    await response(request.scope, request.receive, send)

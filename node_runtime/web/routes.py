"""The routing table of a listener, and the process that runs the handler of a request.

A route names its handler as `"module:function"`. The name is looked up at every request, so a newly loaded version of a
module answers from the next request on, while a running request finishes in the version in which it started.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from starlette import routing
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from node_runtime.behaviours.code_references import ParsedReference, resolve_reference
from node_runtime.processes.coroutine_process import AdoptedTask
from node_runtime.processes.crash_report import COUNTED, failures
from node_runtime.protocol.exit_codes import Refused

logger: Final = logging.getLogger("node_runtime")

SENT_AT_ONCE: Final = Response.__call__
"""The method that sends a response whose whole body is known."""

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
        before, self._current = self._current, _RoutingTableVersion(routes)
        if before.requests:
            self._earlier.add(before)
            before.on_unused = self._unused

    def _unused(self, version: _RoutingTableVersion) -> None:
        self._earlier.remove(version)
        self._settled.set()

    async def settled(self) -> None:
        """Wait until no request that uses earlier routes is running."""
        while self._earlier:
            self._settled.clear()
            await self._settled.wait()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Return the coroutine that answers a request."""
        version = self._current
        endpoint = None if scope["root_path"] else version.plain.get(scope["path"])
        if endpoint is None:
            return version.router(scope, receive, send)
        scope["router"], scope["endpoint"], scope["path_params"] = version.router, endpoint, {}
        return _respond(endpoint.handler, version, scope, receive, send)


class _RoutingTableVersion:
    """One set of routes, and the number of running requests that use it."""

    __slots__ = ("on_unused", "plain", "requests", "router", "routes")

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self.plain: dict[str, _RouteEndpoint] = {}
        """The endpoints of the paths without parameters that come before the first path with parameters."""
        self.requests = 0
        self.on_unused: Callable[[_RoutingTableVersion], None] | None = None
        """Called when the last request has ended, once other routes are current."""
        made = []
        has_parameters = False
        for route in self.routes:
            endpoint = _RouteEndpoint(ParsedReference(route.handler), self)
            made.append(routing.Route(route.path, endpoint))
            has_parameters = has_parameters or bool(made[-1].param_convertors)
            if not has_parameters:
                self.plain.setdefault(route.path, endpoint)
        self.router = routing.Router(made)


@dataclass(frozen=True, slots=True, eq=False)
class _RouteEndpoint:
    """Answers each request in a process, which is listed and can be ended like any other process."""

    handler: ParsedReference
    version: _RoutingTableVersion

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return _respond(self.handler, self.version, scope, receive, send)


async def _respond(
    handler: ParsedReference, version: _RoutingTableVersion, scope: Scope, receive: Receive, send: Send
) -> None:
    """Run a request's process: look up the handler by name, call it, and send its response."""
    began = False
    version.requests += 1
    try:
        with AdoptedTask(_respond) as process:
            request = Request(scope, receive)
            try:
                response = handler.resolve()(request)
                if not isinstance(response, Response):
                    response = await _awaited(handler, response)
            except Exception:
                response = _failed(handler, request)
            if type(response).__call__ is SENT_AT_ONCE and response.background is None:
                # This is what the response itself would do, but without a coroutine for it.
                began = True
                await send(
                    {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
                )
                await send({"type": "http.response.body", "body": response.body})
            else:

                async def observed(message: Message) -> None:
                    nonlocal began
                    began = True
                    await send(message)

                await response(scope, receive, observed)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if not process.was_killed or task is None:
            raise
        task.uncancel()
        if not began:
            await _FAILED(scope, receive, send)
    except Exception as error:
        if began:
            raise RuntimeError(f"the response of {handler} could not be sent") from error
        await _FAILED(scope, receive, send)
    finally:
        version.requests -= 1
        if version.on_unused is not None and not version.requests:
            version.on_unused(version)


async def _awaited(handler: ParsedReference, response: object) -> Response:
    """Return the response of an `async def` handler. Raises TypeError if it isn't a Response."""
    if inspect.isawaitable(response):
        response = await response
    if not isinstance(response, Response):
        raise TypeError(f"{handler} must return a Response, not {type(response).__name__}")
    return response


def _failed(handler: ParsedReference, request: Request) -> Response:
    """Report the exception of a handler, and return the response to the client."""
    failures().crashes += 1
    extra = {COUNTED: True}
    logger.exception("%s failed to answer %s %s", handler, request.method, request.url.path, extra=extra)
    return _FAILED

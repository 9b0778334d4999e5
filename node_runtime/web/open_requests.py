"""The requests that are open now.

The server has a task for each request. Nothing is recorded when a request begins: a record is made from the task, and
only on demand.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from .listeners import Listener, listeners

RequestKind = Literal["websocket", "event stream", "streaming response", "upload", "request"]


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A request, an open stream or a websocket of a listener. `task` is the name of the task that serves the request.

    An upload is a request whose body has not arrived completely.

    OTP has no such record: cowboy has a process for each request.
    """

    listener: str
    kind: RequestKind
    method: str
    path: str
    task: str


@dataclass(frozen=True, slots=True)
class ServedRequest:
    """An open request with its listener, its task, and uvicorn's object for it (None if it can't be found)."""

    request: OpenRequest
    listener: Listener
    task: asyncio.Task[Any]
    connection: Any


def open_requests(name: str) -> tuple[OpenRequest, ...]:
    """Return the requests of a listener that have not ended. Raises `Refused` when there is no such listener.

    The requests of routes are processes, too. Follows ranch:procs/2.
    """
    return tuple(served.request for served in _served(listeners().named(name)))


def served_requests() -> Iterator[ServedRequest]:
    """Yield the open requests of all listeners."""
    for listener in tuple(listeners().values()):
        yield from _served(listener)


def requests_in_flight(listener: Listener) -> set[asyncio.Task[Any]]:
    """Return the tasks of the requests that run code of the application, and may soon end by themselves.

    Left out are requests that have not begun or wait at the gate. Also left out are streams, websockets and uploads,
    because their clients decide when they end.
    """
    return {
        served.task
        for served in _served(listener)
        if served.request.kind == "request" and has_begun(listener, served.task)
    }


def has_begun(listener: Listener, task: asyncio.Task[Any]) -> bool:
    """Return whether a request has called the application; if not, a replaced application can still answer it."""
    coroutine: Any = task.get_coro()
    waits = task in listener.gate.waiting or task in listener.gate.without_body
    return not waits and inspect.getcoroutinestate(coroutine) != inspect.CORO_CREATED


def _served(listener: Listener) -> Iterator[ServedRequest]:
    tasks = () if listener.server is None else tuple(listener.server.server_state.tasks)
    for task in tasks:
        if not task.done():
            frame = getattr(task.get_coro(), "cr_frame", None)
            connection = None if frame is None else frame.f_locals.get("self")
            yield ServedRequest(_described(listener, task, connection), listener, task, connection)


def _described(listener: Listener, task: asyncio.Task[Any], connection: Any) -> OpenRequest:
    scope = getattr(connection, "scope", None) or {}
    kind: RequestKind = "request"
    if scope.get("type") == "websocket":
        kind = "websocket"
    elif any(name == b"accept" and b"text/event-stream" in value for name, value in scope.get("headers", ())):
        kind = "event stream"
    elif getattr(connection, "response_started", False):
        kind = "streaming response"
    elif getattr(connection, "more_body", False):
        kind = "upload"
    return OpenRequest(listener.name, kind, scope.get("method", "GET"), scope.get("path", "?"), task.get_name())

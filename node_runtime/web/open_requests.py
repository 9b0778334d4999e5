"""The requests that are open now.

The server has a task for each request. Nothing is recorded when a request begins: a record is made from the task, and
only on demand.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from node_runtime.releases.planning.participants import HeldModules

from .listeners import Listener, listeners
from .named_application import NamedApplication

RequestKind = Literal["websocket", "event stream", "streaming response", "request"]
_PLURALS = {
    "websocket": "websockets", "event stream": "event streams", "streaming response": "streaming responses",
    "request": "requests",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A request, an open stream or a websocket of a listener. `task` is the name of the task that serves it.

    OTP has no such record: cowboy has a process for each request.
    """

    listener: str
    kind: RequestKind
    method: str
    path: str
    task: str


def open_requests(name: str) -> tuple[OpenRequest, ...]:
    """Return the requests of a listener that have not ended. Raises `Refused` when there is no such listener.

    The requests of routes are processes, too. Follows ranch:procs/2.
    """
    return tuple(_open(listeners().named(name)))


def _open(listener: Listener) -> Iterator[OpenRequest]:
    tasks = () if listener.server is None else tuple(listener.server.server_state.tasks)
    for task in tasks:
        if not task.done():
            yield _described(listener, task)


def _described(listener: Listener, task: asyncio.Task[Any]) -> OpenRequest:
    frame = getattr(task.get_coro(), "cr_frame", None)
    cycle = None if frame is None else frame.f_locals.get("self")  # uvicorn's object for one request
    scope = getattr(cycle, "scope", None) or {}
    kind: RequestKind = "request"
    if scope.get("type") == "websocket":
        kind = "websocket"
    elif any(name == b"accept" and b"text/event-stream" in value for name, value in scope.get("headers", ())):
        kind = "event stream"
    elif getattr(cycle, "response_started", False):
        kind = "streaming response"
    return OpenRequest(listener.name, kind, scope.get("method", "GET"), scope.get("path", "?"), task.get_name())


def describe_open_requests(holders: list[HeldModules]) -> tuple[list[str], list[HeldModules]]:
    """Return sentences about the open requests among the holders of old code, and a list of all other holders."""
    known = {one.task: one for listener in listeners().values() for one in _open(listener)}
    found: dict[tuple[str, tuple[str, ...]], Counter[RequestKind]] = {}
    others = []
    for holder, modules in holders:
        request = known.get(holder.task or "")
        if request is None:
            others.append((holder, modules))
        else:
            found.setdefault((request.listener, tuple(modules)), Counter())[request.kind] += 1
    return [_sentence(listener, modules, kinds) for (listener, modules), kinds in found.items()], others


def _sentence(listener: str, modules: tuple[str, ...], kinds: Counter[RequestKind]) -> str:
    counted = [f"{number} {kind if number == 1 else _PLURALS[kind]}" for kind, number in sorted(kinds.items())]
    what = " and ".join([", ".join(counted[:-1]), counted[-1]] if len(counted) > 1 else counted)
    names, drain = " and ".join(modules), _drain_seconds(listener, modules)
    if drain is not None and set(kinds) == {"websocket"}:
        verb = "stays" if sum(kinds.values()) == 1 else "stay"
        return f"{what} of the listener {listener} {verb} in the old version of {names}, for at most {drain:g} s."
    purge = "after the upgrade, " + " and ".join(f"`hotdash purge NODE {module}`" for module in modules)
    ends = "ends" if len(modules) == 1 else "end"
    where = f"in the old version of {names}"
    if sum(kinds.values()) == 1:
        return f"{what} of the listener {listener} stays {where} until it ends; {purge} {ends} it."
    return f"{what} of the listener {listener} stay {where} until they end; {purge} {ends} them."


def _drain_seconds(listener: str, modules: tuple[str, ...]) -> float | None:
    """Return within how many seconds a listener closes its websockets after an install of `modules`; None: never."""
    application = listeners()[listener].application
    if isinstance(application, NamedApplication) and application.module in modules:
        return listeners()[listener].options.get("drain_websockets")
    return None

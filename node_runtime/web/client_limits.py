"""Limits for the clients of a listener: connections, sizes of heads and bodies, and the time that slow clients take.

The server looks once a second at all connections, so that an ordinary request costs nothing. What a limit ends is
logged once a minute, with the number of clients.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .server_options import ServerOptions

logger: Final = logging.getLogger("node_runtime")

LOG_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """The limits of a listener; None means none. Times are in seconds."""

    connections: int | None
    head_bytes: int
    body_bytes: int | None
    head_seconds: float
    stalled_seconds: float

    @classmethod
    def of(cls, options: ServerOptions) -> ClientLimits:
        """Return the limits that a listener's options set."""
        return cls(
            options.get("limit_connections"),
            options.get("limit_head_bytes", 65_536),
            options.get("limit_body_bytes"),
            options.get("timeout_head", 30.0),
            options.get("timeout_stalled", 60.0),
        )


class LimitLog:
    """Logs what limits have ended, at most once a minute for each limit."""

    def __init__(self, listener: str) -> None:
        self._listener = listener
        self._numbers: Counter[str] = Counter()
        self._logged: dict[str, float] = {}

    def add(self, what: str) -> None:
        """Count a client whose connection was ended because of `what`, such as "too slow with its request"."""
        self._numbers[what] += 1
        now = asyncio.get_running_loop().time()
        if now - self._logged.get(what, -LOG_SECONDS) >= LOG_SECONDS:
            number, self._numbers[what], self._logged[what] = self._numbers[what], 0, now
            logger.warning("listener %s ended connections: %s: %d since the last report", self._listener, what, number)


class SlowClients:
    """Finds the connections of a server whose clients are too slow. `end_slow` is called once a second."""

    def __init__(self, limits: ClientLimits, log: LimitLog) -> None:
        self._limits = limits
        self._log = log
        self._since: dict[Any, tuple[tuple[Any, ...], float]] = {}

    def end_slow(self, connections: set[Any], now: float) -> None:
        """Close the connections that have been in the same phase for longer than the limits allow."""
        before, self._since = self._since, {}
        for connection in list(connections):
            phase, seconds, what = self._phase(connection)
            if phase is None:
                continue
            known = before.get(connection)
            since = known[1] if known is not None and known[0] == phase else now
            if now - since > seconds:
                self._log.add(what)
                connection.transport.abort()
            else:
                self._since[connection] = phase, since

    def _phase(self, connection: Any) -> tuple[tuple[Any, ...] | None, float, str]:
        """Return what a connection waits for its client to do, or None, and the limit of that phase."""
        cycle = getattr(connection, "cycle", None)
        flow = getattr(connection, "flow", None)
        if not hasattr(connection, "cycle"):
            return None, 0.0, ""  # a websocket, which has limits of its own
        if cycle is not None and not cycle.response_complete:
            if flow is not None and flow.write_paused:
                left = connection.transport.get_write_buffer_size()
                return ("write", id(cycle), left), self._limits.stalled_seconds, "the client did not read its response"
            if cycle.more_body and not (flow is not None and flow.read_paused):
                got = getattr(connection, "body_parts", 0)
                return ("body", id(cycle), got), self._limits.stalled_seconds, "the body did not come"
            return None, 0.0, ""
        if getattr(connection, "timeout_keep_alive_task", None) is not None:
            return None, 0.0, ""  # idle between two requests: uvicorn's own limit
        return ("head", id(cycle)), self._limits.head_seconds, "the request did not come"


class BodyTooLarge(HTTPException):
    """A body is larger than its limit. Starlette and FastAPI answer with 413 by themselves."""

    def __init__(self) -> None:
        super().__init__(413, "Content Too Large")


class BodyLimit:
    """An application whose requests have a limited body: it answers 413 instead of a larger one."""

    def __init__(self, application: ASGIApp, max_bytes: int, log: LimitLog) -> None:
        self._application = application
        self._max_bytes = max_bytes
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        got, began = 0, False

        async def limited() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > self._max_bytes:
                self._log.add("the body was too large")
                raise BodyTooLarge
            return message

        async def observed(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        try:
            if announced.isdigit() and int(announced) > self._max_bytes:
                self._log.add("the body was too large")
                raise BodyTooLarge
            await self._application(scope, limited, observed)
        except BodyTooLarge:
            if not began:
                await _refuse(send)


async def _refuse(send: Send) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": b"Content Too Large"})

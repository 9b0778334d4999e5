"""Refuses requests that two servers could understand differently, and bodies that are too large.

If a front server and this server disagree where a request ends or for which host it is, a client can smuggle a request
past the front server. Each of uvicorn's parsers accepts some requests that a server must refuse according to RFC 9112.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable
from functools import lru_cache
from typing import Any, Final, cast

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .client_limits import LimitLog
from .request_gate import AWAITED_BYTES, RequestGate

_HOST: Final = re.compile(
    rb"(?:[A-Za-z0-9\-._~!$&'()*+;=%]{0,255}+|\[[0-9A-Fa-f:.]{2,45}+\])(?::[0-9]{0,5}+)?", re.ASCII
)


@lru_cache(maxsize=256)
def is_valid_host(host: bytes) -> bool:
    """Return whether `host` may be the value of a Host header: a name or an address, perhaps with a port, or nothing.

    From any other value, an application could build URLs whose path or host is not that of the request.
    """
    return _HOST.fullmatch(host) is not None


def may_open_websocket(scope: Scope) -> bool:
    """Return whether a request for a websocket has the right version and exactly one valid Host header."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    return scope["http_version"] == "1.1" and len(hosts) == 1 and is_valid_host(hosts[0])


class BodyTooLarge(HTTPException):
    """A body is larger than its limit. Starlette and FastAPI answer with 413 by themselves."""

    def __init__(self) -> None:
        super().__init__(413, "Content Too Large")


class RequestRules:
    """An application behind rules: it gets no ambiguous request, and no body of more than `max_bytes` bytes.

    If `max_bytes` is None, a body may have any size. A request that breaks a rule is answered with 400 or 413, and its
    connection is closed. While the gate is closed, no request and no websocket of the application begins. A request
    that announces a body of at most `AWAITED_BYTES` begins when the body has arrived, unless its client waits for the
    consent of the application (`Expect: 100-continue`).
    """

    def __init__(self, application: ASGIApp, max_bytes: int | None, log: LimitLog, gate: RequestGate) -> None:
        self._application = application
        self._max_bytes = max_bytes
        self._log = log
        self._gate = gate

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Return the coroutine that answers a request; for most requests, the application's own coroutine."""
        if self._gate.is_closed:
            return self._later(scope, receive, send)
        if scope["type"] != "http":
            return self._application(scope, receive, send)
        headers, version = scope["headers"], scope["http_version"]
        values = dict(headers)
        length, coding = values.get(b"content-length"), values.get(b"transfer-encoding")
        is_readable = version in ("1.1", "1.0") and is_valid_host(values.get(b"host", b""))
        hosts = int(b"host" in values)
        if len(values) != len(headers):  # some header is there twice
            hosts = sum(name == b"host" for name, _ in headers)
        one_host = hosts == 1 or (hosts == 0 and version == "1.0")
        one_length = coding is None or (
            length is None and version != "1.0" and coding.strip(b" \t").lower() == b"chunked"
        )
        if not one_host or not one_length or not is_readable or scope["method"] == "CONNECT":
            self._log.add("the request was not valid HTTP")
            return _refuse(send, 400, b"Bad Request")
        if self._max_bytes is None or (coding is None and int(length or 0) <= self._max_bytes):
            short = length is not None and int(length) <= AWAITED_BYTES
            comes_later = short and b"expect" not in values and _cycle(receive).more_body
            begin = self._with_body if comes_later else self._application
            return begin(scope, receive, send)
        if coding is None:
            self._log.add("the body was too large (limit_body_bytes)")
            return _refuse(send, 413, b"Content Too Large")
        return self._limited(self._max_bytes, scope, receive, send)

    async def _later(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._gate.wait()
        await self(scope, receive, send)

    async def _with_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        if await self._gate.wait_for_body(_cycle(receive)):
            if self._gate.is_closed:
                await self._gate.wait()
            await self._application(scope, receive, send)

    def is_simple(self, scope: Scope) -> bool:
        """Return True if it is certain at once that a request breaks no rule and has no body; otherwise False."""
        headers = scope["headers"]
        values = dict(headers)
        return (
            is_valid_host(values.get(b"host", b" "))
            and b"content-length" not in values
            and b"transfer-encoding" not in values
            and len(values) == len(headers)
            and scope["http_version"] == "1.1"
            and scope["method"] != "CONNECT"
        )

    async def _limited(self, max_bytes: int, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that doesn't announce the size of its body. A body above `max_bytes` is answered with 413."""
        got, began = 0, False

        async def limited() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > max_bytes:
                self._log.add("the body was too large (limit_body_bytes)")
                raise BodyTooLarge
            return message

        async def observed(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            await self._application(scope, limited, observed)
        except BodyTooLarge:
            if not began:
                await _refuse(send, 413, b"Content Too Large")


def _cycle(receive: Receive) -> Any:
    """Return uvicorn's object for the request that `receive` belongs to."""
    return cast("Any", receive).__self__


async def _refuse(send: Send, status: int, text: bytes) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})

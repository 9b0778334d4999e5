"""Finds the client of a websocket behind proxies: by uvicorn's rule, from the headers that proxies add."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware


class Proxies:
    """The proxies that are trusted: `forwarded_allow_ips` of the listener."""

    def __init__(self, trusted: list[str] | str) -> None:
        self._middleware = ProxyHeadersMiddleware(_no_application, trusted)

    def correct(self, scope: Any) -> None:
        """Replace `client` and `scheme` by what a trusted proxy has sent in X-Forwarded-For and X-Forwarded-Proto."""
        steps = self._middleware(scope, _nothing, _nothing)
        with suppress(StopIteration):
            steps.send(None)  # the coroutine waits for nothing, so its first step is its last


async def _no_application(scope: Any, receive: Any, send: Any) -> None: ...


async def _nothing(*message: Any) -> Any: ...

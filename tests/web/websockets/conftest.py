"""A server of websockets for the tests, on a port of its own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from websockets.asyncio.client import connect

from node_runtime import Runtime, web
from node_runtime.web.listeners import listeners
from tests.support.web.site import listening


@dataclass(frozen=True)
class Site:
    """A listener whose websockets are processes."""

    name: str = "site"

    @property
    def port(self) -> int:
        return web.port(self.name)

    @property
    def connections(self) -> list[Any]:
        """The connections of the server, those of websockets included."""
        server = listeners()[self.name].server
        return [] if server is None else list(server.server_state.connections)

    def client(self, path: str, **options: Any) -> connect:
        """A client's connection, to be awaited or entered."""
        return connect(f"ws://127.0.0.1:{self.port}{path}", open_timeout=60, close_timeout=60, **options)


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[Site]:
    """A listener without routes, in the running runtime."""
    async with listening():
        yield Site()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A listener in a runtime of its own."""
    async with Runtime(), served() as made:
        yield made

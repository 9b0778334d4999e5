"""Websockets behind a proxy: who the client is, as the handshake says it."""

from __future__ import annotations

import pytest

from node_runtime import web
from node_runtime.web import Handshake, WebSocketHandler, WebSocketRoute

from .conftest import Site

pytestmark = pytest.mark.each_loop


class Visitor(WebSocketHandler[None]):
    """Tells its client what the handshake says of it."""

    def connected(self, request: Handshake) -> None:
        assert request.client is not None
        self.send_text(f"{request.url.scheme} {request.client.host}")


async def test_the_headers_of_trusted_proxies_say_who_the_client_is(site: Site) -> None:
    route, headers = WebSocketRoute("/", f"{__name__}:Visitor"), {"X-Forwarded-For": "9.9.9.9"}
    headers["X-Forwarded-Proto"] = "https"
    for name, trusted, seen in (("behind", "127.0.0.1", "wss 9.9.9.9"), ("open", "10.0.0.1", "ws 127.0.0.1")):
        await web.start_http(name, port=0, routes=(), websockets=[route], forwarded_allow_ips=trusted)
        async with Site(name).client("/", additional_headers=headers) as client:
            assert await client.recv() == seen

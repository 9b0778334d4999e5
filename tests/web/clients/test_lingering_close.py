"""A client that still sends when it is answered can read the answer; what it sends is dropped, within limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from node_runtime import Runtime, web
from tests.support.waiting import eventually
from tests.support.web.web_runtime import web_runtime

APP = f"{__name__}:app"
PARSERS = pytest.mark.parametrize("parser", ["h11", "httptools"])
LARGE_HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n"
LARGE_BODY = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1073741824\r\n\r\n"


async def app(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    """Answer before the body, and close the connection."""
    headers = [(b"content-length", b"5"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"early"})


@pytest_asyncio.fixture
async def node() -> AsyncIterator[Runtime]:
    """A runtime with the application web."""
    async with web_runtime() as runtime:
        yield runtime


async def answered(request: bytes, rest: int = 0) -> bytes:
    """Send a request and `rest` more bytes completely; return all that comes then, until the listener closes it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", web.port("site"))
    try:
        async with asyncio.timeout(60):
            writer.write(request)
            for _ in range(rest >> 16):
                writer.write(bytes(1 << 16))
                await writer.drain()
            return await reader.read()
    finally:
        writer.transport.abort()


@PARSERS
async def test_a_client_with_a_head_of_a_megabyte_gets_an_answer(node: Runtime, parser: Any) -> None:
    await web.start_asgi("site", APP, http=parser)
    assert (await answered(LARGE_HEAD)).startswith(b"HTTP/1.1 431 ")


@PARSERS
async def test_a_client_whose_body_is_refused_or_not_read_gets_the_answer(node: Runtime, parser: Any) -> None:
    await web.start_asgi("site", APP, http=parser)
    assert (await answered(LARGE_BODY, 8 << 20)).startswith(b"HTTP/1.1 413 ")
    await web.stop_http("site")
    await web.start_asgi("site", APP, http=parser, limit_body_bytes=None)
    assert (await answered(LARGE_BODY, 8 << 20)).endswith(b"\r\n\r\nearly")


@PARSERS
async def test_a_client_that_sends_nonsense_gets_an_answer(node: Runtime, parser: Any) -> None:
    await web.start_asgi("site", APP, http=parser)
    assert (await answered(b"\x16\x03\x01 nonsense\r\n\r\n", 1 << 20)).startswith(b"HTTP/1.1 400 ")


@PARSERS
async def test_a_client_that_sends_without_end_is_disconnected(node: Runtime, parser: Any) -> None:
    await web.start_asgi("site", APP, http=parser)
    with pytest.raises(ConnectionError):
        await answered(LARGE_BODY, 1 << 30)


@PARSERS
async def test_a_client_that_never_closes_its_connection_is_disconnected(
    node: Runtime, parser: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await web.start_asgi("site", APP, http=parser, timeout_head=0.5)
    reader, writer = await asyncio.open_connection("127.0.0.1", web.port("site"))
    writer.write(LARGE_HEAD)
    async with asyncio.timeout(60):
        assert (await reader.read()).startswith(b"HTTP/1.1 431 ")
    await eventually(lambda: "still sent after it was answered" in caplog.text, what="the disconnect")
    writer.transport.abort()

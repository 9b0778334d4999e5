"""Clients that attack a listener: whatever they send is bounded and counted in the log, and others are served."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio

from node_runtime import Runtime, web
from node_runtime.web import Handshake, WebSocketHandler, WebSocketRoute
from tests.support.waiting import eventually
from tests.support.web.web_runtime import web_runtime

Served = list[tuple[str, list[bytes]]]
SERVED: Served = []
"""The path of each request that the application got, and the names of its headers after its body."""


async def app(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    """Echo websockets, answer `/early` before the body, `/cycles` with the requests that uvicorn has parsed."""
    if scope["type"] == "websocket":
        await echo(receive, send)
        return
    more = scope["path"] != "/early"
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        more = event.get("more_body", False)
    SERVED.append((scope["path"], [name for name, _ in scope["headers"]]))
    body = b""
    if scope["path"] == "/cycles":
        body = str(sum(type(one).__name__ == "RequestResponseCycle" for one in gc.get_objects())).encode()
    if scope["path"] == "/large":
        body = b"x" * 8_000_000
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def echo(receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": event["text"]})


class Echo(WebSocketHandler[None]):
    """The same as a process."""

    def connected(self, request: Handshake) -> None: ...

    def handle_text(self, text: str) -> None:
        self.send_text(text)


APP = f"{__name__}:app"
ECHO = WebSocketRoute("/process", f"{__name__}:Echo")
HOST = b"Host: a\r\n"
EVIL = b"GET /evil HTTP/1.1\r\n" + HOST + b"\r\n"
HANDSHAKE = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
HANDSHAKE += b"dGhlIHNhbXBsZSBub25jZQ==\r\n" + HOST
PARSERS = pytest.mark.parametrize("parser", ["h11", "httptools"])
WEBSOCKETS = pytest.mark.parametrize("path", [b"/process", b"/application"])


@pytest_asyncio.fixture
async def node() -> AsyncIterator[Runtime]:
    """A runtime with the application web."""
    SERVED.clear()
    async with web_runtime() as runtime:
        yield runtime


@contextlib.asynccontextmanager
async def connection(request: bytes = b"") -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client's connection, on which `request` was sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", web.port("site"))
    writer.write(request)
    try:
        async with asyncio.timeout(60):
            yield reader, writer
    finally:
        writer.transport.abort()


async def until_closed(request: bytes) -> bytes:
    """Send a request on a connection of its own; returns all that comes until the listener closes it."""
    async with connection(request) as (reader, _):
        answer = b""
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(65_536):
                answer += piece
        return answer


async def served(reader: asyncio.StreamReader) -> bytes:
    """Read one response; returns its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return await reader.readexactly(length)


async def opened(reader: asyncio.StreamReader) -> None:
    """Read the response to a handshake."""
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")


def frame(opcode: int, data: bytes = b"", *, fin: bool = True) -> bytes:
    """A short frame of a client."""
    return bytes([opcode | 0x80 * fin, 0x80 | len(data)]) + b"\0\0\0\0" + data


def post(head: bytes, body: bytes, version: bytes = b"1.1") -> bytes:
    return b"POST /first HTTP/" + version + b"\r\n" + HOST + head + b"\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked\r\n"
SMUGGLED = {
    "a length and chunks": post(b"Content-Length: 5\r\n" + CHUNKED, b"0\r\n\r\n" + EVIL),
    "chunks and a length": post(CHUNKED + b"Content-Length: 5\r\n", b"0\r\n\r\n" + EVIL),
    "chunks in HTTP/1.0": post(b"Connection: keep-alive\r\n" + CHUNKED, b"0\r\n\r\n" + EVIL, b"1.0"),
    "a coding that looks like chunks": post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + EVIL),
    "a coding after chunks": post(b"Transfer-Encoding: chunked, gzip\r\n", b"0\r\n\r\n" + EVIL),
    "a coding twice": post(CHUNKED + b"Transfer-Encoding: cow\r\n", b"0\r\n\r\n" + EVIL),
    "a space before the colon": post(b"Transfer-Encoding : chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n" + EVIL),
    "a control character": post(b"Transfer-Encoding: \x0bchunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n" + EVIL),
    "two lengths": post(b"Content-Length: 0\r\nContent-Length: 5\r\n", EVIL),
    "a list of lengths": post(b"Content-Length: 0, 5\r\n", EVIL),
    "a length with a sign": post(b"Content-Length: +0\r\n", EVIL),
    "a negative length": post(b"Content-Length: -1\r\n", EVIL),
    "no host": b"GET /first HTTP/1.1\r\n\r\n" + EVIL,
    "two hosts": b"GET /first HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + EVIL,
    "no version": b"GET /first\r\n\r\n" + EVIL,
    "a tunnel": b"CONNECT b:443 HTTP/1.1\r\nHost: b\r\n\r\n" + EVIL,
    "a null byte": b"GET /first HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n" + EVIL,
    "a continued line": post(b"X: a\r\n " + CHUNKED, b"0\r\n\r\n" + EVIL),
    "a continued coding": post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n" + EVIL),
    "a line feed alone": post(b"X: a\n" + CHUNKED, b"0\r\n\r\n" + EVIL),
    "line feeds alone": b"GET /first HTTP/1.1\nHost: a\n\n" + EVIL,
    "a line feed at the end": b"GET /first HTTP/1.1\r\nHost: a\r\n\n" + EVIL,
    "a line feed after chunks": post(CHUNKED, b"0\r\n\n" + EVIL),
    "a carriage return in a chunk's extension": post(CHUNKED, b"0;a\rb\r\n\r\n" + EVIL),
    "an open quote in a chunk's extension": post(CHUNKED, b'0;a="\r\n\r\n' + EVIL),
    "a space after a chunk's size": post(CHUNKED, b"0 \r\n\r\n" + EVIL),
    "a chunk of 2**64 bytes": post(CHUNKED, b"10000000000000000\r\n" + EVIL),
    "a coding before chunks": post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n" + EVIL),
    "a coding without name": post(b"Transfer-Encoding: ,chunked\r\n", b"0\r\n\r\n" + EVIL),
    "another version": b"GET /first HTTP/2.0\r\nHost: a\r\n\r\n" + EVIL,
    "another host in the target": b"GET http://b/first HTTP/1.1\r\nHost: a\r\n\r\n" + EVIL,
    "another port in the target": b"GET http://a:81/first HTTP/1.1\r\nHost: a\r\n\r\n" + EVIL,
    "a user in the target": b"GET http://a@b/first HTTP/1.1\r\nHost: a\r\n\r\n" + EVIL,
    "another protocol in the target": b"GET ftp://a/first HTTP/1.1\r\nHost: a\r\n\r\n" + EVIL,
    "a fragment in the target": b"GET /first#/other HTTP/1.1\r\nHost: a\r\n\r\n" + EVIL,
    "a target without a path": b"GET first HTTP/1.1\r\nHost: a\r\n\r\n" + EVIL,
    "a path in the host": b"GET /first HTTP/1.1\r\nHost: a/other?x=\r\n\r\n" + EVIL,
    "a user in the host": b"GET /first HTTP/1.1\r\nHost: a@b\r\n\r\n" + EVIL,
    "a list of hosts": b"GET /first HTTP/1.1\r\nHost: a, b\r\n\r\n" + EVIL,
    "a host with an open bracket": b"GET /first HTTP/1.1\r\nHost: [::1\r\n\r\n" + EVIL,
}


@PARSERS
async def test_ambiguous_requests_are_refused_and_what_follows_them_is_not_served(
    node: Runtime, parser: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await web.start_asgi("site", APP, http=parser)
    async with connection() as (neighbour, asks):
        for what, request in SMUGGLED.items():
            answer = await until_closed(request)
            assert answer.startswith(b"HTTP/1.1 400"), what
            assert answer.count(b"HTTP/1.1") == 1, what
        assert SERVED == []
        asks.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        await served(neighbour)
    reports = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(reports) <= 2, reports
    assert all("1 since the last report" in report for report in reports)


@PARSERS
@pytest.mark.parametrize("host", [b"a", b"A.example:80", b"[::1]:8000", b"a_b-c.example.", b""])
async def test_ordinary_hosts_and_absolute_targets_of_the_same_host_are_served(
    node: Runtime, parser: Any, host: bytes
) -> None:
    await web.start_asgi("site", APP, http=parser)
    async with connection(b"GET /a HTTP/1.1\r\nHost: " + host + b"\r\n\r\n") as (reader, writer):
        await served(reader)
        if host:
            writer.write(b"GET http://" + host.lower() + b"/b?c HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
            await served(reader)
    assert [path for path, _ in SERVED] == (["/a", "/b"] if host else ["/a"])


@PARSERS
async def test_the_body_of_a_request_for_another_protocol_is_a_body_and_never_a_request(
    node: Runtime, parser: Any
) -> None:
    await web.start_asgi("site", APP, http=parser)
    other = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    sized = post(other + b"Content-Length: %d\r\n" % len(EVIL), EVIL)
    chunked = post(other + CHUNKED, b"%x\r\n%b\r\n0\r\n\r\n" % (len(EVIL), EVIL))
    bare = b"GET /first HTTP/1.1\r\n" + HOST + other + b"\r\n"
    async with connection(sized + chunked + bare) as (reader, _):
        for _ in range(3):
            await served(reader)
    async with connection() as (reader, writer), connection() as (neighbour, asks):
        for request in (sized, chunked, bare):
            head, end, body = request.partition(b"\r\n\r\n")
            writer.write(head + end)
            asks.write(b"GET /neighbour HTTP/1.1\r\n" + HOST + b"\r\n")
            await served(neighbour)  # meanwhile the listener has read the head
            writer.write(body)
            await served(reader)
    assert sorted(path for path, _ in SERVED) == ["/first"] * 6 + ["/neighbour"] * 3


@PARSERS
async def test_a_bad_chunk_after_the_answer_ends_the_connection_without_another_answer(
    node: Runtime, parser: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await web.start_asgi("site", APP, http=parser)
    async with connection(b"POST /early HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n1\r\nx\r\n") as (reader, writer):
        await served(reader)
        writer.write(b"no chunk\r\n")
        with contextlib.suppress(ConnectionError):
            assert b"200" not in await reader.read()
    assert "Traceback" not in caplog.text


@PARSERS
async def test_trailers_are_not_headers(node: Runtime, parser: Any) -> None:
    await web.start_asgi("site", APP, http=parser)
    trailers = b"1\r\nx\r\n0\r\nX-Forwarded-For: evil\r\nAuthorization: evil\r\n\r\n"
    async with connection(post(CHUNKED, trailers)) as (reader, _):
        await served(reader)
    assert SERVED == [("/first", [b"host", b"transfer-encoding"])]


@PARSERS
async def test_trailers_without_end_end_the_connection(node: Runtime, parser: Any) -> None:
    await web.start_asgi("site", APP, http=parser)
    assert b" 200 " not in await until_closed(post(CHUNKED, b"0\r\nX: " + b"x" * 2_000_000))


@PARSERS
async def test_a_head_that_comes_at_once_has_the_same_limit(node: Runtime, parser: Any) -> None:
    await web.start_asgi("site", APP, http=parser)
    large = b"GET /first HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 100_000 + b"\r\n\r\n"
    assert (await until_closed(large)).startswith(b"HTTP/1.1 431")
    assert SERVED == []


@PARSERS
async def test_the_rest_of_a_body_that_the_application_did_not_want_is_dropped(node: Runtime, parser: Any) -> None:
    await web.start_asgi("site", APP, http=parser)
    async with connection(b"POST /early HTTP/1.1\r\n" + HOST + b"Content-Length: 300000\r\n\r\n") as (reader, writer):
        await served(reader)
        for _ in range(30):
            writer.write(b"x" * 10_000)
            await writer.drain()
        writer.write(b"GET /next HTTP/1.1\r\n" + HOST + b"\r\n")
        await served(reader)
    assert [path for path, _ in SERVED] == ["/early", "/next"]


@PARSERS
async def test_a_body_of_a_gigabyte_is_refused_unless_the_listener_allows_it(node: Runtime, parser: Any) -> None:
    huge = post(b"Content-Length: 1073741824\r\n", b"x")
    await web.start_asgi("site", APP, http=parser)
    assert (await until_closed(huge)).startswith(b"HTTP/1.1 413")
    await web.stop_http("site")
    await web.start_asgi("site", APP, http=parser, limit_body_bytes=None, timeout_stalled=0.5)
    assert await until_closed(huge) == b""


@PARSERS
async def test_pipelined_requests_wait_as_bytes_and_are_answered_in_order(node: Runtime, parser: Any) -> None:
    await web.start_asgi("site", APP, http=parser)
    number = 1000
    paths = [b"/cycles", *(b"/%d" % place for place in range(number))]
    async with connection(b"".join(b"GET %s HTTP/1.1\r\n%s\r\n" % (path, HOST) for path in paths)) as (reader, _):
        assert int(await served(reader)) < 300
        for _ in range(number):
            await served(reader)
    assert [path for path, _ in SERVED] == [path.decode() for path in paths]


@PARSERS
async def test_a_client_that_leaves_a_complete_response_unread_is_disconnected(
    node: Runtime, parser: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await web.start_asgi("site", APP, http=parser, timeout_stalled=0.5)
    async with connection(b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n"):
        await eventually(lambda: "the client did not read its response" in caplog.text, what="the disconnect")


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    """A process that may have only 300 descriptors, of which clients get 225."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_connections_leave_descriptors_to_the_node(
    few_descriptors: None, node: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    await web.start_asgi("site", APP)
    async with connection(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n") as (neighbour, asks):
        await served(neighbour)
        with contextlib.ExitStack() as taken:
            while (descriptor := os.dup(0)) < 225:
                taken.callback(os.close, descriptor)
            taken.callback(os.close, descriptor)
            assert [await until_closed(b"") for _ in range(3)] == [b""] * 3
            asks.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
            await served(neighbour)
        assert caplog.text.count("almost used up") == 1
        async with connection(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n") as (reader, _):
            await served(reader)


@WEBSOCKETS
@pytest.mark.parametrize("lines", [b"X: y\r\n" * 200, b"X: " + b"y" * 10_000 + b"\r\n"], ids=["many", "long"])
async def test_a_handshake_that_can_not_be_read_is_answered(node: Runtime, path: bytes, lines: bytes) -> None:
    await web.start_asgi("site", APP, websockets=[ECHO])
    answer = await until_closed(b"GET " + path + b" HTTP/1.1\r\n" + HANDSHAKE + lines + b"\r\n")
    assert answer.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))
    assert b" 101 " not in await until_closed(
        b"POST " + path + b" HTTP/1.1\r\n" + HANDSHAKE + b"Content-Length: 3\r\n\r\nabc"
    )


@PARSERS
@WEBSOCKETS
@pytest.mark.parametrize(
    ("version", "host"),
    [(b"1.0", HOST), (b"1.1", b""), (b"1.1", HOST * 2), (b"1.1", b"Host: a/x?y\r\n")],
    ids=["1.0", "no host", "two hosts", "a path in the host"],
)
async def test_a_websocket_has_one_valid_host_as_any_request(
    node: Runtime, parser: Any, path: bytes, version: bytes, host: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    await web.start_asgi("site", APP, websockets=[ECHO], http=parser)
    request = b"GET " + path + b" HTTP/" + version + b"\r\n" + HANDSHAKE.removesuffix(HOST) + host + b"\r\n"
    assert (await until_closed(request)).startswith(b"HTTP/1.1 400")
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@WEBSOCKETS
async def test_a_message_in_the_smallest_fragments_arrives_as_a_whole(node: Runtime, path: bytes) -> None:
    await web.start_asgi("site", APP, websockets=[ECHO])
    async with connection(b"GET " + path + b" HTTP/1.1\r\n" + HANDSHAKE + b"\r\n") as (reader, writer):
        await opened(reader)
        fragments = [frame(0, bytes([byte]), fin=False) + frame(0, fin=False) for byte in b"abcd" * 1000]
        writer.write(frame(1, fin=False) + b"".join(fragments) + frame(0) + frame(1, b"next"))
        assert await reader.readexactly(4) == b"\x81\x7e\x0f\xa0"
        assert await reader.readexactly(4000) == b"abcd" * 1000
        assert await reader.readexactly(6) == b"\x81\x04next"


async def ping_without_end(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(frame(9, b"x" * 125) * 5000)
        await writer.drain()


@WEBSOCKETS
async def test_a_client_that_pings_and_reads_no_answer_is_not_read_and_then_disconnected(
    node: Runtime, path: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    await web.start_asgi("site", APP, websockets=[ECHO], timeout_stalled=0.5)
    async with connection(b"GET " + path + b" HTTP/1.1\r\n" + HANDSHAKE + b"\r\n") as (reader, writer):
        await opened(reader)
        reader._transport.pause_reading()  # type: ignore[attr-defined]  # the only way not to read
        with pytest.raises(ConnectionError):
            await ping_without_end(writer)
    assert caplog.text.count("did not read its response") == 1


async def test_a_client_of_an_application_that_answers_no_ping_is_disconnected(node: Runtime) -> None:
    await web.start_asgi("site", APP, ws_ping_interval=0.05, ws_ping_timeout=0.05)
    async with connection(b"GET /application HTTP/1.1\r\n" + HANDSHAKE + b"\r\n") as (reader, _):
        await opened(reader)
        with contextlib.suppress(ConnectionError):
            assert await reader.read()  # pings, and perhaps a close frame, until the end of the connection

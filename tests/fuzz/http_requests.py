"""Sends odd requests to two listeners, one with each parser, which must understand the same requests."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

from node_runtime import Runtime, application, web

from .campaign import Campaign, WronglyAccepted

PARSERS: Final = ("h11", "httptools")
TURNS: Final = 20
"""The turns of the event loop in which the listener reads a piece and answers the requests in it."""
NEXT: Final = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
"""The request that follows each odd one on its connection."""
HOST: Final = b"Host: a\r\n"
CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"

Served = tuple[str, bytes, bytes, bytes]
"""A request as the application got it: its method, target, hosts and body."""
SERVED: Final[dict[tuple[int, int], list[Served]]] = {}
"""The requests of each connection, by the ports of its listener and of its client."""

METHODS: Final = (b"GET", b"POST", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"M-SEARCH", b"get", b"GE T", b"PRI", b"")
TARGETS: Final = (
    b"/a", b"/a?b=c", b"/%00", b"/a%00b", b"/../x", b"/a/..;/b", b"/%2e%2e/x", b"/a;b", b"//b/c", b"/a\\b", b"*",
    b"http://a/x", b"http://A/x", b"http://a:80/x", b"http://b/x", b"HTTP://a/x", b"http:/a/x", b"https://a/x",
    b"http://a", b"http://a?x", b"http://a#x", b"/a#b", b"/a b", b"/a\tb", b"/\xff", b"/a\x7f", b"/a\x00b", b"a:80",
    b"?x", b"/%", b"/%zz", b"http://a/\xc3\xa9", b"/\xc3\xa9", b"http://a@a/x", b"http://a:/x", b"/a\x80", b"/\x0c",
)  # fmt: skip
VERSIONS: Final = (b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/1.2", b"http/1.1", b"HTTP/1.1 ", b"HTTP/01.1", b"")
ENDS: Final = (b"\r\n", b"\n", b"\r", b"\r\r\n", b" \r\n", b"\r\n ", b"\r\n\t", b"\x0b\r\n", b"\n\r\n")
COLONS: Final = (b": ", b":", b" : ", b":\t", b"\t:", b":\x0b", b"::", b":\x00", b": \r\n ", b"=", b":\xa0", b":\x85")
CODINGS: Final = (
    b"chunked", b"Chunked", b"chunked,", b",chunked", b"chunked, chunked", b"gzip, chunked", b"chunked, gzip",
    b"identity", b"chunked;x=y", b'"chunked"', b"chunked\x00", b"xchunked", b"", b"chunked identity", b"\x0bchunked",
    b"identity, chunked", b"chunked ", b"trailers",
)  # fmt: skip
LENGTHS: Final = (
    b"5", b"0", b"05", b"+5", b"-5", b"5, 5", b"5,6", b"5 ", b"0x5", b"5\t", b"5;", b"", b"5\x00", b"1_0", b"5.0",
    b"99999999999999999999", b"\xb2", b"5 5", b"0" * 30 + b"5", b"18446744073709551621",
)  # fmt: skip
NAMES: Final = (
    b"X", b"Content-Length", b"content-length", b"Transfer-Encoding", b"Transfer_Encoding", b"Content-Length\x00",
    b"Host", b"Upgrade", b"Connection", b"Expect", b"Trailer", b"TE", b" X", b"X Y", b"", b"X\xff", b"(X)", b"X\x7f",
    b"Proxy-Connection", b"Keep-Alive", b"Cookie", b"X\t",
)  # fmt: skip
VALUES: Final = (
    b"a", b"", b"a b", b"a\x00b", b"a\rb", b"a\nb", b"\xff", b"close", b"keep-alive", b"upgrade", b"Upgrade, close",
    b"h2c", b"websocket", b"100-continue", b"100-Continue", b"200-ok", b"a\x7fb", b"a\x01b", b"\t", b"a, b", b"[::1]",
    b"close, keep-alive", b"TLS/1.0", b"a\x0cb", b'"a', b"a\\",
)  # fmt: skip
SIZES: Final = (
    b"5", b"05", b"0000000000000005", b"00000000000000005", b"+5", b"0x5", b"5 ", b" 5", b"5\t", b"-0", b"5_0",
    b"", b"5\x00", b"5.", b"ffffffffffffffff", b"10000000000000005", b"5,5", b"A", b"\xb5",
)  # fmt: skip
EXTENSIONS: Final = (
    b"", b";a", b";a=b", b';a="b"', b';a="b', b";a=\rb", b"; a = b", b";", b";;", b" ;a", b";a\x00", b";\xff",
    b';a="\r\n"', b";a\tb", b';a="\\""', b";" + b"a" * 300, b";a;b=c", b";a\x7f",
)  # fmt: skip
TRAILERS: Final = (
    b"", b"X: y\r\n", b"X: y\n", b"X : y\r\n", b"X\r\n", b" X: y\r\n", b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Host: b\r\n", b"X: a\rb\r\n", b"X: y\r\n z\r\n",
    b"X: " + b"y" * 2000 + b"\r\n",
    b"X: y\r\n" * 50, b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b":\r\n", b"X\x00: y\r\n", b"X: \x00\r\n",
)  # fmt: skip


class ErrorHandler(logging.Handler):
    """Keeps the texts of errors that are logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.logged: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the text of an error."""
        self.logged.append(self.format(record))


ERRORS: Final = ErrorHandler()


async def answer(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    """Note each request, and answer it without a body."""
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        body += event.get("body", b"")
        more = event.get("more_body", False)
    hosts = b",".join(value for name, value in scope["headers"] if name == b"host")
    target = scope["raw_path"] + b"?" + scope["query_string"]
    SERVED.setdefault((scope["server"][1], scope["client"][1]), []).append((scope["method"], target, hosts, body))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


APP: Final = f"{__name__}:{answer.__name__}"


def requests(chance: random.Random, number: int) -> Iterator[tuple[bytes, ...]]:
    """Yield requests, each followed by `NEXT` and cut into pieces."""
    for _ in range(number):
        data = request(chance) + NEXT
        cuts = sorted(chance.sample(range(1, len(data)), chance.choice((0, 0, 0, 1, 2))))
        yield tuple(data[begin:end] for begin, end in zip((0, *cuts), (*cuts, len(data)), strict=True))


def request(chance: random.Random) -> bytes:
    """Return a request in which a few parts are odd."""
    oddness = chance.choice((0.03, 0.08, 0.2))

    def part(choices: tuple[bytes, ...], usual: bytes) -> bytes:
        return chance.choice(choices) if chance.random() < oddness else usual

    def line(name: bytes, value: bytes) -> bytes:
        return part(NAMES, name) + part(COLONS, b": ") + part(VALUES, value) + part(ENDS, b"\r\n")

    end = part(ENDS, b"\r\n")
    first = b"%b %b %b%b" % (part(METHODS, b"POST"), part(TARGETS, b"/a"), part(VERSIONS, b"HTTP/1.1"), end)
    lines = [line(b"Host", b"a")]
    is_chunked, is_sized = chance.random() < 0.6, chance.random() < 0.4
    if is_chunked:
        coding = chance.choice(CODINGS) if chance.random() < oddness * 2 else b"chunked"
        lines.append(line(b"Transfer-Encoding", coding))
    if is_sized:
        lines.append(line(b"Content-Length", chance.choice(LENGTHS) if chance.random() < oddness * 2 else b"5"))
    while chance.random() < oddness * 2:
        lines.append(line(chance.choice(NAMES), chance.choice(VALUES)))
    if chance.random() < oddness:
        lines.append(chance.choice(lines))
    chance.shuffle(lines)
    head = first + b"".join(lines) + part(ENDS, b"\r\n")
    if not is_chunked:
        return head + (b"hello" if is_sized else b"")
    chunks = [
        part(SIZES, b"5") + part(EXTENSIONS, b"") + part(ENDS, b"\r\n") + b"hello" + part(ENDS, b"\r\n")
        for _ in range(chance.choice((0, 1, 1, 2)))
    ]
    last = part((b"00", b"0" * 16, b"0" * 17, b"-0", b"0 ", b""), b"0") + part(EXTENSIONS, b"") + part(ENDS, b"\r\n")
    return head + b"".join(chunks) + last + part(TRAILERS, b"") + part(ENDS, b"\r\n")


async def understood(parser: str, pieces: tuple[bytes, ...]) -> list[Served]:
    """Send a request to the listener with `parser`; return the requests that its application got."""
    port = web.port(parser)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    connection = port, writer.get_extra_info("sockname")[1]
    try:
        for piece in pieces:
            writer.write(piece)
            for _ in range(TURNS):
                await asyncio.sleep(0)
        with contextlib.suppress(OSError):
            writer.write_eof()
        with contextlib.suppress(ConnectionError):
            await reader.read()
    finally:
        writer.transport.abort()
    return SERVED.pop(connection, [])


async def compare(pieces: tuple[bytes, ...]) -> None:
    """Raise WronglyAccepted if the two parsers understand different requests. Each may refuse what the other accepts.

    Nothing that a client sends may be logged as an error: errors count against a release on probation. After a refusal,
    and at the end of a connection, a listener serves nothing more. So the requests that one of them has served may only
    be the first ones of the other.
    """
    first, second = [await understood(parser, pieces) for parser in PARSERS]
    if ERRORS.logged:
        raise RuntimeError(f"logged: {ERRORS.logged.pop()}")
    number = min(len(first), len(second))
    if first[:number] != second[:number]:
        raise WronglyAccepted(f"{PARSERS[0]} got {first}, {PARSERS[1]} got {second}")


async def start(runtime: Runtime) -> None:
    """Start a listener with each parser."""
    await runtime.__aenter__()
    application.load(web.APPLICATION)
    await application.start("web")
    for parser in PARSERS:
        await web.start_asgi(parser, APP, http=parser)


async def stop(runtime: Runtime) -> None:
    """Stop the listeners."""
    await application.stop("web")
    await runtime.__aexit__(None, None, None)


def fuzz_http(number: int, seed: int) -> Campaign:
    """Return the result for `number` requests."""
    campaign = Campaign("HTTP requests, to each parser")
    logging.getLogger().addHandler(ERRORS)
    with asyncio.Runner() as runner:
        runtime = Runtime()
        runner.run(start(runtime))
        try:
            campaign.feed(requests(random.Random(seed), number), number, lambda pieces: runner.run(compare(pieces)))
        finally:
            runner.run(stop(runtime))
    return campaign

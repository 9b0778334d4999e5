"""Clients that send wrong chunks or frames: the application is not to blame, so nothing counts against its release."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from node_runtime import Runtime, web
from tests.support.waiting import eventually
from tests.web.test_hostile_clients import APP as EARLY
from tests.web.test_hostile_clients import (
    CHUNKED,
    ECHO,
    HANDSHAKE,
    HOST,
    PARSERS,
    WEBSOCKETS,
    connection,
    frame,
    node,
    opened,
    served,
    until_closed,
)

__all__ = ["node"]

ENDS: list[str] = []
"""How each websocket of the application has ended."""


async def app(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    """Echo texts."""
    await receive()
    await send({"type": "websocket.accept"})
    try:
        while (event := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": event["text"]})
    except Exception as error:
        ENDS.append(type(error).__name__)
        raise
    ENDS.append(f"disconnected with {event['code']}")


APP = f"{__name__}:app"
WRONG = {
    "a reserved bit": b"\xc1\x80\0\0\0\0",
    "no mask": b"\x81\x01a",
    "an unknown opcode": frame(3, b"a"),
    "a fragment of a ping": frame(9, b"a", fin=False),
    "a continuation of nothing": frame(0, b"a"),
    "a close frame of one byte": frame(8, b"a"),
    "a wrong close code": frame(8, b"\x03\xed"),
    "a text that is not UTF-8": frame(1, b"\xff"),
    "a close frame, and a text that is not UTF-8": frame(1, b"\xff") + frame(8, b"\x03\xe8"),
    "a length of 2**62": b"\x81\xff" + (1 << 62).to_bytes(8, "big") + b"\0\0\0\0",
}


@WEBSOCKETS
async def test_a_wrong_frame_after_a_text_is_no_error_of_the_application(
    node: Runtime, path: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    await web.start_asgi("site", APP, websockets=[ECHO])
    ENDS.clear()
    for what, wrong in WRONG.items():
        async with connection(b"GET " + path + b" HTTP/1.1\r\n" + HANDSHAKE + b"\r\n") as (reader, writer):
            await opened(reader)
            writer.write(frame(1, b"a") + wrong)
            assert b"next" not in await reader.read(), what
    if path == b"/application":
        await eventually(lambda: len(ENDS) == len(WRONG), what="the ends of the websockets")
    assert "RuntimeError" not in ENDS
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_text_to_a_client_that_answers_no_ping_is_no_error_of_the_application(
    node: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    await web.start_asgi("site", f"{__name__}:talker", ws_ping_interval=0.01, ws_ping_timeout=0.01)
    ENDS.clear()
    async with connection(b"GET / HTTP/1.1\r\n" + HANDSHAKE + b"\r\n") as (reader, _):
        await opened(reader)
        await reader.read()
        await eventually(lambda: len(ENDS) == 1, what="the end of the websocket")
    assert "RuntimeError" not in ENDS
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@PARSERS
@pytest.mark.parametrize("method", [b"POST", b"HEAD"])
async def test_an_answer_to_a_request_that_turns_out_to_be_wrong_is_no_error_of_the_application(
    node: Runtime, parser: Any, method: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    await web.start_asgi("site", EARLY, http=parser)
    head = method + b" /early HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n"
    for wrong in (b"no chunk\r\n", b"1\r\nx\r\n-\r\n", b"0\r\n\x00\r\n\r\n"):
        assert not (await until_closed(head + wrong)).startswith(b"HTTP/1.1 200")
    async with connection(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n") as (reader, _):
        await served(reader)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def talker(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    """Send texts until that fails."""
    await receive()
    await send({"type": "websocket.accept"})
    try:
        while True:
            await send({"type": "websocket.send", "text": "a"})
            await asyncio.sleep(0)
    except Exception as error:
        ENDS.append(type(error).__name__)
        raise

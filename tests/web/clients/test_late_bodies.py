"""A request whose body arrives after the switch of an upgrade: which version of the application runs it."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest

from node_runtime import application, web
from node_runtime.protocol import messages as m
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

CALLS = """
CALLS = []
"""
SITE = """
from fastapi import FastAPI, Request
from shop.calls import CALLS

app = FastAPI()

@app.middleware("http")
async def count(request, call_next):
    CALLS.append("VSN")
    return await call_next(request)

@app.post("/")
async def length(request: Request):
    return ["VSN", len(await request.body())]
"""
LOAD = "instructions = [{ update = 'shop.site' }]"
HEAD = "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n"


@pytest.fixture
async def shop(small: SmallNode) -> AsyncIterator[SmallNode]:
    """A node with the application `shop.site:app`, whose version 2 is only waiting to be installed."""
    small.write("1", {"shop.calls": CALLS, "shop.site": SITE.replace("VSN", "1")})
    both = f'[[up]]\nfrom = "1"\n{LOAD}\n[[down]]\nto = "1"\n{LOAD}\n'
    small.write("2", {"shop.calls": CALLS, "shop.site": SITE.replace("VSN", "2")}, both)
    small.boot()
    application.load(web.APPLICATION)
    await application.start("web")
    yield small
    await application.stop("web")


class Caller:
    """A client that sends its request in parts."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def answer(self, part: str) -> tuple[int, str]:
        """Send the last part; return the status and the body of the response."""
        self.writer.write(part.encode())
        async with asyncio.timeout(60):
            head, _, body = (await self.reader.read()).partition(b"\r\n\r\n")
        self.writer.close()
        return int(head.split()[1]), body.decode()


async def begun(head: str, part: str = "") -> Caller:
    """Send a head and a part of the body; return when the server has the request."""
    caller = Caller(*await asyncio.open_connection("127.0.0.1", web.port("site")))
    caller.writer.write(f"{HEAD}{head}\r\n{part}".encode())
    await eventually(lambda: web.open_requests("site"), what="the request")
    return caller


def calls() -> list[str]:
    """The versions that middleware has run, one for each request that the application got."""
    found: list[str] = sys.modules["shop.calls"].CALLS
    return found


async def installed(shop: SmallNode) -> m.Plan:
    """Install version 2 and return its plan."""
    plan = await shop.handler.plan("2")
    done = await shop.install("2")
    assert done.outcome == "installed", done.error
    return plan


@pytest.mark.parametrize("http", ["httptools", "h11"])
async def test_a_request_begins_in_the_version_that_is_current_when_its_body_has_arrived(
    shop: SmallNode, http: str
) -> None:
    await web.start_asgi("site", "shop.site:app", port=0, http=http)  # type: ignore[arg-type]  # one of two literals
    caller = await begun("content-length: 8\r\n", "half")
    plan = await installed(shop)
    assert not [warning for warning in plan.warnings if "listener" in warning]
    assert await caller.answer("half") == (200, '["2",8]')
    assert calls() == ["2"]


@pytest.mark.parametrize(
    ("head", "part", "rest", "size"),
    [
        ("transfer-encoding: chunked\r\n", "4\r\nhalf\r\n", "4\r\nhalf\r\n0\r\n\r\n", 8),
        ("content-length: 70000\r\n", "", "x" * 70_000, 70_000),
        ("content-length: 4\r\nexpect: 100-continue\r\n", "", "half", 4),
    ],
    ids=["no length", "a long body", "a client that waits for consent"],
)
async def test_an_upload_that_the_application_runs_already_stays_in_its_version_and_the_plan_says_so(
    shop: SmallNode, head: str, part: str, rest: str, size: int
) -> None:
    await web.start_asgi("site", "shop.site:app", port=0)
    caller = await begun(head, part)
    await eventually(lambda: calls() == ["1"], what="the call of the application")
    if "expect" in head:
        async with asyncio.timeout(60):
            assert await caller.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    plan = await installed(shop)
    assert any(warning.startswith("1 upload of the listener site stays in") for warning in plan.warnings)
    assert await caller.answer(rest) == (200, f'["1",{size}]')


async def test_the_application_gets_no_request_whose_client_leaves_before_the_body(
    shop: SmallNode, caplog: pytest.LogCaptureFixture
) -> None:
    await web.start_asgi("site", "shop.site:app", port=0)
    caller = await begun("content-length: 8\r\n", "half")
    caller.writer.transport.abort()
    await eventually(lambda: not web.open_requests("site"), what="the end of the request")
    assert (calls(), caplog.records) == ([], [])

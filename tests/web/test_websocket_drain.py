"""The websockets that an upgrade leaves in the old version of their application stay, or are closed one by one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from node_runtime import application, web
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

SITE = """
    ENDS = []

    async def app(scope, receive, send):
        if scope["type"] != "websocket":
            raise NotImplementedError(scope["type"])
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": "@"})
        ENDS.append(event["code"])
"""
LOAD = """
    [[up]]
    from = "@"
    instructions = [{ load_module = "shop.site" }]
    [[down]]
    to = "@"
    instructions = [{ load_module = "shop.site" }]
"""


@pytest.fixture
async def shop(small: SmallNode) -> AsyncIterator[SmallNode]:
    """A node whose three releases have three versions of a site with a websocket."""
    for vsn, before in (("1", ""), ("2", "1"), ("3", "2")):
        small.write(vsn, {"shop.site": SITE.replace("@", vsn)}, LOAD.replace("@", before) if before else "")
    small.boot()
    application.load(web.APPLICATION)
    await application.start("web")
    yield small
    await application.stop("web")


def client() -> connect:
    return connect(f"ws://127.0.0.1:{web.port('site')}/", open_timeout=60, close_timeout=60)


async def version(socket: ClientConnection) -> str:
    """The version in which a websocket runs."""
    await socket.send("which?")
    return str(await asyncio.wait_for(socket.recv(), 60))


async def test_websockets_of_the_old_version_are_closed_with_1012_so_that_a_third_version_can_come(
    shop: SmallNode,
) -> None:
    await web.start_asgi("site", "shop.site:app", port=0, drain_websockets=0.1)
    async with client() as ann, client() as bob:
        assert [await version(ann), await version(bob)] == ["1", "1"]
        plan = await shop.handler.plan("2")
        sentence = "2 websockets of the listener site stay in the old version of shop.site, for at most 0.1 s."
        assert sentence in plan.warnings
        assert (await shop.install("2")).outcome == "installed"
        async with client() as eve:
            assert await version(eve) == "2"
            for closed in (ann, bob):
                with pytest.raises(ConnectionClosed) as end:
                    await asyncio.wait_for(closed.recv(), 60)
                assert end.value.rcvd is not None
                assert end.value.rcvd.code == 1012
            assert await version(eve) == "2"
            await eventually(lambda: not shop.code.is_old_code_held("shop.site"), what="the end of the old version")
            operation = await shop.install("3")
            assert operation.outcome == "installed", operation.error


async def test_without_the_option_they_stay_and_a_third_version_is_refused(shop: SmallNode) -> None:
    await web.start_asgi("site", "shop.site:app", port=0)
    async with client() as ann:
        assert await version(ann) == "1"
        assert (await shop.install("2")).outcome == "installed"
        assert await version(ann) == "1"
        assert (await shop.install("3")).outcome == "aborted"
        assert await version(ann) == "1"

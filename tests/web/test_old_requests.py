"""Open requests that an upgrade leaves in an old version are counted, named once, and closed by a purge."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from node_runtime import application, web
from node_runtime.control.dispatch import Caller
from node_runtime.control.handlers.old_code import OldCodeHandlers
from node_runtime.protocol import messages as m
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]
CHAT = """
    import asyncio, contextlib
    from fastapi import FastAPI, WebSocket
    from fastapi.responses import StreamingResponse
    from shop.rooms import Rooms

    @contextlib.asynccontextmanager
    async def lifespan(app):
        app.state.rooms = getattr(app.state, "rooms", None) or Rooms()
        app.state.lobby = app.state.rooms
        yield

    app = FastAPI(lifespan=lifespan)

    @app.websocket("/chat")
    async def chat(socket: WebSocket):
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text("%")

    async def events():
        yield "data: %\\n\\n"
        await asyncio.Event().wait()

    @app.get("/events")
    async def stream():
        return StreamingResponse(events(), media_type="text/event-stream")
"""
ROOMS = """
    class Rooms:
        def version(self):
            return @
"""
LOAD = """
    [[up]]
    from = "@"
    instructions = [{ load_module = "shop.rooms" }, { load_module = "shop.chat", deps = ["shop.rooms"] }]
    [[down]]
    to = "@"
    instructions = [{ load_module = "shop.rooms" }, { load_module = "shop.chat", deps = ["shop.rooms"] }]
"""
ONE = """
    [[up]]
    from = "@"
    instructions = [{ load_module = "shop.chat" }]
    [[down]]
    to = "@"
    instructions = [{ load_module = "shop.chat" }]
"""
ANN = Caller("ann", "operator", "127.0.0.1", b"")
BOOT = "b00t"


class Shop:
    """A node with a chat, and what its clients and its operator do."""

    def __init__(self, node: SmallNode) -> None:
        self.node = node
        self.old_code = OldCodeHandlers("shop@127.0.0.1", BOOT, node.handler, lambda text: None)

    def client(self) -> connect:
        return connect(f"ws://127.0.0.1:{web.port('site')}/chat", open_timeout=60, close_timeout=60)

    async def events(self, accept: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a stream, and read its first event."""
        reader, writer = await asyncio.open_connection("127.0.0.1", web.port("site"))
        writer.write(f"GET /events HTTP/1.1\r\nhost: shop\r\naccept: {accept}\r\n\r\n".encode())
        await asyncio.wait_for(reader.readuntil(b"data: 1\n"), 60)
        return reader, writer

    async def holders(self, module: str) -> list[m.OldCodeHolder]:
        listed = await asyncio.to_thread(self.old_code.old_code, ANN, m.Empty())
        return [holder for old in listed.modules if old.module == module for holder in old.holders]

    async def purge(self, module: str) -> m.Purged:
        return await self.old_code.purge(ANN, m.PurgeModule(module=module, boot_id=BOOT))

    async def blockers(self, vsn: str) -> list[tuple[str, str]]:
        plan = await self.node.handler.plan(vsn)
        return [(blocker.reason, blocker.remedy) for blocker in plan.blockers]


@pytest.fixture
async def shop(small: SmallNode) -> AsyncIterator[Shop]:
    """A node with five releases. 2 and 3 replace only the application, 4 and 5 its rooms, too."""
    releases = (
        ("1", "", "", "1"),
        ("2", "1", ONE, "1"),
        ("3", "2", ONE, "1"),
        ("4", "1", LOAD, "2"),
        ("5", "4", LOAD, "3"),
    )
    for vsn, before, appup, rooms in releases:
        modules = {"shop.chat": CHAT.replace("%", vsn), "shop.rooms": ROOMS.replace("@", rooms)}
        small.write(vsn, modules, appup.replace("@", before))
    small.boot()
    application.load(web.APPLICATION)
    await application.start("web")
    yield Shop(small)
    await application.stop("web")


async def version(socket: ClientConnection) -> str:
    await socket.send("which?")
    return str(await asyncio.wait_for(socket.recv(), 60))


async def closed(socket: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as end:
        await asyncio.wait_for(socket.recv(), 60)
    assert end.value.rcvd is not None
    return end.value.rcvd.code


async def test_the_requests_that_keep_an_old_version_are_one_holder_which_a_purge_closes(shop: Shop) -> None:
    await web.start_asgi("site", "shop.chat:app", port=0)
    async with contextlib.AsyncExitStack() as stack:
        ann, bob = [await stack.enter_async_context(shop.client()) for _ in range(2)]
        assert await version(ann) == await version(bob) == "1"
        streams = [await shop.events("text/event-stream"), await shop.events("*/*")]
        what = "1 event stream, 1 streaming response and 2 websockets of the listener site"
        plan = await shop.node.handler.plan("2")
        stay = f"{what} stay in the old version of shop.chat until they end; after the upgrade, "
        assert [one for one in plan.warnings if "startup" not in one] == [
            f"{stay}`hotdash purge NODE shop.chat` ends them."
        ]
        assert (await shop.node.install("2")).outcome == "installed"
        (chat,) = [one for one in shop.node.code.loaded_modules() if one.name == "shop.chat"]
        assert (chat.old_pids, chat.old_tasks > 0) == ((), True)
        (holder,) = await shop.holders("shop.chat")
        assert (holder.name, holder.does, holder.number) == (what, "run it until they end", 4)
        ((reason, remedy),) = await shop.blockers("3")
        assert reason == f"shop.chat still has an old version (1): {what} run it until they end"
        assert remedy.startswith("close them with `hotdash purge NODE shop.chat`, or wait")
        purged = await shop.purge("shop.chat")
        assert (purged.closed, purged.dropped, purged.killed, purged.left) == ((what,), True, (), ())
        assert [await closed(ann), await closed(bob)] == [1012, 1012]
        for reader, writer in streams:
            assert await asyncio.wait_for(reader.read(), 60) is not None
            writer.close()
        async with shop.client() as eve:
            assert await version(eve) == "2"


async def test_websockets_that_the_listener_will_close_are_said_to_end_soon(shop: Shop) -> None:
    await web.start_asgi("site", "shop.chat:app", port=0, drain_websockets=600)
    async with shop.client() as ann:
        assert await version(ann) == "1"
        assert (await shop.node.install("2")).outcome == "installed"
        (holder,) = await shop.holders("shop.chat")
        assert holder.name == "1 websocket of the listener site"
        assert holder.does == "runs it until the listener closes it, within 600 s of the upgrade"


async def test_a_value_in_the_state_of_an_application_that_stays_old_is_named_and_a_purge_kills_nothing_for_it(
    shop: Shop,
) -> None:
    await web.start_asgi("site", "shop.chat:app", port=0)
    plan = await shop.node.handler.plan("4")
    (sentence,) = [one for one in plan.warnings if "app.state" in one]
    both = "app.state.rooms and app.state.lobby of shop.chat:app"
    assert sentence.startswith(f"{both} keep instances of the replaced shop.rooms.Rooms. ")
    assert (await shop.node.install("4")).outcome == "installed"
    ((reason, remedy),) = await shop.blockers("5")
    held = "shop.chat.app holds an instance of shop.rooms.Rooms"
    assert reason == f"shop.rooms still has an old version (1): {held}"
    assert remedy.startswith(
        "`hotdash purge NODE shop.rooms` drops the old version, but shop.chat.app still refers to old code"
    )
    purged = await shop.purge("shop.rooms")
    assert (purged.killed, purged.cancelled, purged.dropped) == ((), (), True)
    assert [one.name for one in purged.left] == ["shop.chat.app"]
    async with shop.client() as eve:
        assert await version(eve) == "4"
    await eventually(lambda: web.open_requests("site") == (), what="the end of the websocket")

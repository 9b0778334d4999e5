"""ASGI applications behind listeners: looked up by name for each request and each websocket, in any supervisor."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from types import ModuleType

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect

from node_runtime import ChildSpec, Runtime, Supervisor, exit, supervisor, web, whereis
from node_runtime.behaviours.supervision.management import which_children
from node_runtime.protocol.exit_codes import Refused
from tests.support.waiting import eventually
from tests.support.web.http_client import Client
from tests.support.web.web_runtime import web_runtime

SITE = """
import asyncio
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse

VSN = "@VSN@"
doors = []
app = FastAPI()

@app.get("/")
async def hello():
    return {"vsn": VSN}

@app.get("/client")
async def client(request: Request):
    return [request.client.host, request.url.scheme]

@app.get("/patient")
async def patient():
    door = asyncio.Event()
    doors.append(door)
    await door.wait()
    return {"vsn": VSN}

@app.post("/doubled")
async def doubled(request: Request):
    body = b"".join([chunk async for chunk in request.stream()])
    async def twice():
        yield body
        yield body
    return StreamingResponse(twice())

async def slow(scope, receive, send):
    await receive()
    doors.append(asyncio.Event())
    await doors[-1].wait()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})

@app.websocket("/ws")
async def talk(websocket: WebSocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(VSN + " " + text)
"""


def load(module: ModuleType, vsn: str) -> None:
    """Give the module another version, as an upgrade does: old functions keep their own globals."""
    globals_of_version: dict[str, object] = {"__name__": module.__name__}
    exec(SITE.replace("@VSN@", vsn), globals_of_version)
    vars(module).update(globals_of_version)


@pytest.fixture
def shop() -> Iterator[ModuleType]:
    """The module `shop`, whose `app` is an application of FastAPI."""
    module = sys.modules["shop"] = ModuleType("shop")
    load(module, "one")
    yield module
    del sys.modules["shop"]


@pytest_asyncio.fixture
async def node(shop: ModuleType) -> AsyncIterator[Runtime]:
    """A runtime with the application web."""
    async with web_runtime() as runtime:
        yield runtime


@pytest_asyncio.fixture
async def client(node: Runtime) -> AsyncIterator[Client]:
    """A client of a listener `site` that serves the application."""
    await web.start_asgi("site", "shop:app", port=0)
    one = Client(web.port("site"))
    yield one
    one.close()


async def asked(client: Client, path: str = "/") -> object:
    status, body = await client.get(path)
    assert status == 200, body
    return json.loads(body)


@pytest.mark.parametrize("parser", ["h11", "httptools"])
async def test_an_application_gets_bodies_and_streams_its_response(node: Runtime, parser: str) -> None:
    await web.start_asgi("site", "shop:app", port=0, http=parser)  # type: ignore[arg-type]
    client = Client(web.port("site"))
    assert await asked(client) == {"vsn": "one"}
    assert await client.get("/doubled", "POST", "ab") == (200, "abab")
    assert (await client.get("/nowhere"))[0] == 404
    client.close()


async def test_the_next_request_of_an_open_connection_is_the_new_version_s(client: Client, shop: ModuleType) -> None:
    assert await asked(client) == {"vsn": "one"}
    here = client.local_port
    load(shop, "two")
    assert await asked(client) == {"vsn": "two"}
    assert client.local_port == here


async def test_a_request_in_flight_ends_in_its_version(client: Client, shop: ModuleType) -> None:
    doors: list[asyncio.Event] = shop.doors
    asking = asyncio.create_task(asked(client, "/patient"))
    await eventually(lambda: doors, what="the request")
    load(shop, "two")
    doors[0].set()
    assert await asking == {"vsn": "one"}
    assert await asked(client) == {"vsn": "two"}


async def test_a_websocket_stays_in_its_version_and_a_new_one_is_the_new_version_s(
    client: Client, shop: ModuleType
) -> None:
    address = f"ws://127.0.0.1:{web.port('site')}/ws"
    async with connect(address) as first:
        await first.send("hello")
        assert await first.recv() == "one hello"
        load(shop, "two")
        await first.send("again")
        assert await first.recv() == "one again"
        async with connect(address) as second:
            await second.send("hello")
            assert await second.recv() == "two hello"


async def test_an_application_that_an_upgrade_has_removed_is_an_error_500(client: Client, shop: ModuleType) -> None:
    del shop.app
    assert (await client.get("/"))[0] == 500


async def test_an_application_that_can_not_be_used_is_refused_and_nothing_starts(node: Runtime) -> None:
    for name, why in (
        ("shop:aap", "module shop has no aap"),
        ("no_such_module:app", "No module named 'no_such_module'"),
        ("shop:VSN", "it is a str, which can't be called"),
    ):
        with pytest.raises(Refused, match=re.escape(f"the application {name!r} can't be used: {why}")):
            await web.start_asgi("site", name, port=0)
    with pytest.raises(ValueError, match="'module:name'"):
        await web.start_asgi("site", "shop", port=0)
    with pytest.raises(TypeError, match="no option 'reload'"):
        await web.start_asgi("site", "shop:app", port=0, reload=True)  # type: ignore[call-arg]
    assert which_children("web_sup") == []


async def test_an_application_has_no_routes(client: Client) -> None:
    with pytest.raises(Refused, match="serves shop:app, so it has no routes"):
        web.set_routes("site", [])


async def test_only_the_proxies_that_are_named_are_believed(client: Client, node: Runtime) -> None:
    assert await asked(client, "/client") == ["127.0.0.1", "http"]
    await web.start_asgi("proxied", "shop:app", port=0, forwarded_allow_ips="127.0.0.1")
    headers = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
    for listener, expected in (("site", ["127.0.0.1", "http"]), ("proxied", ["192.0.2.7", "https"])):
        one = Client(web.port(listener), headers)
        assert await asked(one, "/client") == expected
        one.close()


async def test_each_listener_has_its_own_access_log(
    client: Client, node: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    await web.start_asgi("logged", "shop:app", port=0, access_log=True)
    logged = Client(web.port("logged"))
    with caplog.at_level(logging.INFO, "uvicorn.access"):
        await asked(client, "/client")
        await asked(logged)
    logged.close()
    assert [record.getMessage().partition(" - ")[2] for record in caplog.records] == ['"GET / HTTP/1.1" 200']


class ShopSup(Supervisor):
    """A supervisor of a release that has a listener among its children."""

    strategy, intensity, period = "one_for_one", 3, 10.0

    def children(self) -> list[ChildSpec]:
        return [web.asgi_child("front", "shop:app", port=0)]


async def test_a_listener_is_a_child_of_any_supervisor_and_keeps_its_socket_when_it_crashes(shop: ModuleType) -> None:
    async with Runtime():
        await supervisor.start_link(ShopSup, name="shop_sup")
        port = web.port("front")
        client = Client(port)
        assert await asked(client) == {"vsn": "one"}
        before = which_children("shop_sup")[0].pid
        assert before is not None
        exit(before, "kill")
        client.close()
        assert await asked(client) == {"vsn": "one"}
        assert which_children("shop_sup")[0].pid != before
        assert web.port("front") == port
        await supervisor.terminate_child("shop_sup", "front")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        await supervisor.restart_child("shop_sup", "front")
        client.close()
        again = Client(web.port("front"))
        assert await asked(again) == {"vsn": "one"}
        again.close()
        assert whereis("web_sup") is None


async def test_health_is_served_on_a_port_of_its_own(client: Client, shop: ModuleType) -> None:
    await web.start_health(port=0)
    health = Client(web.port("health"))
    assert await asked(client) == {"vsn": "one"}
    assert await health.get("/-/live") == (200, "live\n")
    assert await health.get("/-/ready") == (200, "ready\n")
    status, metrics = await health.get("/metrics")
    assert status == 200
    assert 'node_runtime_requests_total{listener="site"} 1' in metrics
    assert "python_info" in metrics
    starting = asyncio.create_task(web.start_asgi("slow", "shop:slow", port=0))
    await eventually(lambda: shop.doors, what="the startup")
    assert await health.get("/-/ready") == (503, "not ready: slow\n")
    shop.doors[0].set()
    await starting
    assert await health.get("/-/ready") == (200, "ready\n")
    health.close()

"""The lifespans of an application across versions: the new one starts before the switch, the old one ends after it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import connect

from node_runtime import application, exit, web
from node_runtime.behaviours.supervision.management import which_children
from node_runtime.protocol.exit_codes import Refused
from node_runtime.web.lifespan.startup_functions import awaits_own_tasks
from tests.support.waiting import eventually
from tests.support.web.http_client import Client

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

NOTES = """
NOTES = []
DOORS = []
SOCKETS = set()
"""
STARTUP = "    task = asyncio.create_task(tick(), name='ticker')\n"
SITE = """
import asyncio
import contextlib
from fastapi import FastAPI, Request, WebSocket
from shop.notes import DOORS, NOTES, SOCKETS

VSN = "{vsn}"

async def tick():
    try:
        while True:
            NOTES.append("tick " + VSN)
            await asyncio.sleep(0.001)
    finally:
        NOTES.append("cancelled " + VSN)

@contextlib.asynccontextmanager
async def lifespan(app):
    NOTES.append(f"startup {{VSN}} sees {{getattr(app.state, 'made_by', None)}}")
    app.state.made_by = getattr(app.state, "made_by", "") + VSN
{startup}
    yield {{"owner": VSN}}
    NOTES.append("shutdown " + VSN)

app = FastAPI(lifespan=lifespan)

@app.get("/")
async def hello(request: Request):
    return [VSN, request.state.owner, request.app.state.made_by]

@app.get("/patient")
async def patient():
    DOORS.append(asyncio.Event())
    await DOORS[-1].wait()
    return VSN

@app.websocket("/ws")
async def talk(websocket: WebSocket):
    await websocket.accept()
    SOCKETS.add(websocket)
    try:
        async for text in websocket.iter_text():
            await websocket.send_text(VSN)
    finally:
        SOCKETS.discard(websocket)
"""
STEPS = """
def fail():
    raise ValueError("on purpose")
"""
PLAIN = "{ load_module = 'shop.site' }"


def write(small: SmallNode, vsn: str, startup: str = STARTUP, *, steps: str = PLAIN, before: str = "1") -> None:
    """Write a release of the shop, whose site has this startup."""
    modules = {"shop.notes": NOTES, "shop.steps": STEPS, "shop.site": SITE.format(vsn=vsn, startup=startup)}
    both = f"instructions = [{steps}]"
    appup = "" if vsn == before else f'[[up]]\nfrom = "{before}"\n{both}\n[[down]]\nto = "{before}"\n{both}\n'
    small.write(vsn, modules, appup)


@pytest.fixture
async def shop(small: SmallNode) -> AsyncIterator[SmallNode]:
    """Release 1 of the shop, which serves its site."""
    write(small, "1")
    small.boot()
    application.load(web.APPLICATION)
    await application.start("web")
    await web.start_asgi("site", "shop.site:app", port=0)
    yield small
    await application.stop("web")


def notes() -> list[str]:
    found: list[str] = sys.modules["shop.notes"].NOTES
    return found


def doors() -> list[asyncio.Event]:
    found: list[asyncio.Event] = sys.modules["shop.notes"].DOORS
    return found


def without_ticks() -> list[str]:
    return [note for note in notes() if not note.startswith("tick")]


async def page(client: Client) -> Any:
    status, body = await client.get("/")
    assert status == 200, body
    return json.loads(body)


@pytest.fixture
def client(shop: SmallNode) -> Iterator[Client]:
    one = Client(web.port("site"))
    yield one
    one.close()


async def ticks_on(vsn: str) -> None:
    seen = notes().count(f"tick {vsn}")
    await eventually(lambda: notes().count(f"tick {vsn}") > seen, what=f"a tick of {vsn}")


async def test_the_new_startup_sees_the_old_state_and_the_old_shutdown_waits_for_the_last_request(
    shop: SmallNode, client: Client
) -> None:
    assert await page(client) == ["1", "1", "1"]
    other = Client(web.port("site"))
    asking = asyncio.create_task(other.get("/patient"))
    await eventually(doors, what="the request")
    write(shop, "2")
    shop.new_handler("1")
    done = await shop.install("2")
    assert done.outcome == "installed", done.error
    assert await page(client) == ["2", "2", "12"]
    await ticks_on("2")
    assert without_ticks() == ["startup 1 sees None", "startup 2 sees 1", "cancelled 1"]
    assert notes().index("tick 2") > notes().index("startup 2 sees 1")
    doors()[0].set()
    assert await asking == (200, '"1"')
    await eventually(lambda: "shutdown 1" in notes(), what="the old shutdown")
    other.close()


async def test_the_state_of_an_application_is_handed_over_and_so_not_reported_as_lost(shop: SmallNode) -> None:
    write(shop, "2")
    shop.new_handler("1")
    sys.modules["shop.site"].app.state.guests = ["ann"]
    plan = await shop.handler.plan("2")
    assert (plan.blockers, plan.lost) == ((), ())
    assert (await shop.install("2")).outcome == "installed"
    assert sys.modules["shop.site"].app.state.guests == ["ann"]


async def test_the_tasks_of_a_startup_take_their_first_step_at_the_switch(shop: SmallNode, client: Client) -> None:
    write(shop, "2", STARTUP + "    await asyncio.sleep(0.05)\n    NOTES.append('slept')\n")
    shop.new_handler("1")
    assert (await shop.install("2")).outcome == "installed"
    await ticks_on("2")
    assert notes().index("tick 2") > notes().index("slept")
    first = notes().index("tick 2")
    assert "tick 1" not in notes()[first:]


async def test_a_startup_that_fails_aborts_the_install(shop: SmallNode, client: Client) -> None:
    write(shop, "2", STARTUP + "    raise OSError('the database is away')\n")
    shop.new_handler("1")
    done = await shop.install("2")
    assert done.outcome == "aborted"
    assert "the startup of shop.site:app failed: OSError: the database is away" in str(done.error)
    assert await page(client) == ["1", "1", "1"]
    await ticks_on("1")
    assert "tick 2" not in notes()


async def test_a_failed_install_resumes_the_old_tasks_and_runs_the_new_shutdown(
    shop: SmallNode, client: Client
) -> None:
    write(shop, "2", steps=f"{PLAIN}, {{ apply = 'shop.steps:fail' }}")
    shop.new_handler("1")
    assert (await shop.install("2", unrehearsed=True)).outcome != "installed"
    assert await page(client) == ["1", "1", "1"]
    await ticks_on("1")
    assert "shutdown 1" not in notes()
    assert "cancelled 1" not in notes()
    assert "tick 2" not in notes()


async def test_a_listener_that_is_killed_ends_its_own_lifespan_and_not_that_of_its_successor(
    shop: SmallNode, client: Client
) -> None:
    write(shop, "2")
    shop.new_handler("1")
    assert (await shop.install("2")).outcome == "installed"
    async with connect(f"ws://127.0.0.1:{web.port('site')}/ws") as socket:
        await socket.send("hello")
        assert await socket.recv() == "2"
        before = which_children("web_sup")[0].pid
        assert before is not None
        exit(before, "kill")
        await eventually(lambda: notes().count("startup 2 sees 12") == 1, what="the startup of the successor")
        await eventually(lambda: "shutdown 2" in notes(), what="the shutdown of the killed process")
    assert notes().count("shutdown 2") == 1
    await ticks_on("2")
    assert (await page(client))[:2] == ["2", "2"]


async def test_a_purge_that_ends_an_old_websocket_leaves_the_listener_and_the_new_lifespan(shop: SmallNode) -> None:
    write(shop, "2")
    shop.new_handler("1")
    async with connect(f"ws://127.0.0.1:{web.port('site')}/ws") as socket:
        await socket.send("hello")
        assert await socket.recv() == "1"
        assert (await shop.install("2")).outcome == "installed"
        await ticks_on("2")
        before = which_children("web_sup")[0].pid
        purged = await shop.code.end_old_code("shop.site")
        assert purged is not None
        assert purged.dropped
        assert purged.killed == ()
        assert which_children("web_sup")[0].pid == before
        assert "shutdown 2" not in notes()
        await ticks_on("2")


async def test_a_way_back_is_the_same(shop: SmallNode, client: Client) -> None:
    write(shop, "2")
    shop.new_handler("1")
    assert (await shop.install("2")).outcome == "installed"
    await eventually(lambda: "shutdown 1" in notes(), what="the old shutdown")
    assert (await shop.roll_back()).outcome == "reverted"
    assert await page(client) == ["1", "1", "121"]
    await eventually(lambda: "shutdown 2" in notes(), what="the shutdown of 2")
    await ticks_on("1")


WAITING = {
    "gather": ("    await asyncio.gather(first(), first())\n", "await asyncio.gather in line 3"),
    "task": ("    one = asyncio.create_task(first())\n    await one\n", "await one in line 4"),
    "group": (
        "    async with asyncio.TaskGroup() as group:\n        group.create_task(first())\n",
        "asyncio.TaskGroup() in line 3",
    ),
    "wait": ("    await asyncio.wait({asyncio.create_task(first())})\n", "await asyncio.wait in line 3"),
    "event": (
        "    there = asyncio.Event()\n    one = asyncio.create_task(sets(there))\n    await there.wait()\n",
        "await there.wait in line 5",
    ),
}


@pytest.mark.parametrize("startup", [startup for startup, _ in WAITING.values()], ids=WAITING)
async def test_a_startup_that_awaits_its_own_tasks_does_not_hang(shop: SmallNode, startup: str) -> None:
    parts = (
        "    async def first():\n        NOTES.append('first')\n",
        "    async def sets(event):\n        event.set()\n",
        startup,
        STARTUP,
        "    await asyncio.sleep(0.01)\n    NOTES.append('slept')\n",
    )
    write(shop, "2", "".join(parts))
    shop.new_handler("1")
    assert (await shop.install("2")).outcome == "installed"
    await ticks_on("2")
    assert notes().index("tick 2") > notes().index("slept")


def startup_function(tmp_path: Path, body: str) -> Any:
    """A startup with this body, from a file, since its source is read."""
    file = tmp_path / "startups.py"
    file.write_text(f"import asyncio\nasync def startup(app):\n{body}    yield\n")
    namespace: dict[str, Any] = {}
    exec(compile(file.read_text(), file, "exec"), namespace)
    return namespace["startup"]


@pytest.mark.parametrize(("startup", "how"), WAITING.values(), ids=WAITING)
def test_how_a_startup_waits_for_its_own_tasks_is_seen_in_its_source(tmp_path: Path, startup: str, how: str) -> None:
    assert awaits_own_tasks(startup_function(tmp_path, startup)) == how


@pytest.mark.parametrize(
    "startup",
    [
        STARTUP,
        "    await app.database.connect()\n",
        "    group = asyncio.TaskGroup()\n    async with group:\n        group.create_task(tick())\n        yield\n",
        "    yield\n    task = asyncio.create_task(last())\n    await task\n",
    ],
    ids=["task", "other", "group around the yield", "after the yield"],
)
def test_a_startup_that_does_not_wait_for_its_tasks_is_not_named(tmp_path: Path, startup: str) -> None:
    assert awaits_own_tasks(startup_function(tmp_path, startup)) is None


async def test_the_plan_counts_open_websockets_and_names_their_module(shop: SmallNode) -> None:
    address = f"ws://127.0.0.1:{web.port('site')}/ws"
    async with connect(address) as one, connect(address) as two:
        for socket in (one, two):
            await socket.send("hello")
            assert await socket.recv() == "1"
        assert [request.kind for request in web.open_requests("site")] == ["websocket", "websocket"]
        write(shop, "2", f"{STARTUP}    await asyncio.gather(asyncio.sleep(0))\n")
        shop.new_handler("1")
        plan = await shop.handler.plan("2")
        starts = "The startup of shop.site:app (shop.site.lifespan) runs before the switch"
        assert [warning for warning in plan.warnings if warning.startswith(starts)]
        assert [warning for warning in plan.warnings if "shop.site.lifespan waits for tasks of its own" in warning]
        [told] = [warning for warning in plan.warnings if "websockets" in warning]
        assert told.startswith("2 websockets of the listener site stay in the old version of shop.site until they end")
        assert not [warning for warning in plan.warnings if "ticker" in warning or "lifespan of" in warning]
        assert (await shop.install("2")).outcome == "installed"
        await one.send("hello")
        assert await one.recv() == "1"
        async with connect(address) as three:
            await three.send("hello")
            assert await three.recv() == "2"
    await eventually(lambda: "shutdown 1" in notes(), what="the old shutdown")


RAW = """
VSN = "{vsn}"

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["path"] = [*scope["state"].get("path", []), VSN]
        await send({{"type": "lifespan.startup.complete"}})
        await receive()
        await send({{"type": "lifespan.shutdown.complete"}})
        return
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": " ".join(scope["state"]["path"]).encode()}})

async def other(scope, receive, send):
    await app(scope, receive, send)
"""


async def test_a_startup_sees_the_old_state_in_its_scope_and_one_warning_names_all_startups(
    small: SmallNode,
) -> None:
    load = '{ load_module = "shop.raw" }'
    both = f'[[up]]\nfrom = "1"\ninstructions = [{load}]\n[[down]]\nto = "1"\ninstructions = [{load}]\n'
    small.write("1", {"shop.raw": RAW.format(vsn="1")})
    small.boot()
    application.load(web.APPLICATION)
    await application.start("web")
    await web.start_asgi("site", "shop.raw:app", port=0)
    await web.start_asgi("other", "shop.raw:other", port=0)
    client = Client(web.port("site"))
    assert await client.get("/") == (200, "1")
    small.write("2", {"shop.raw": RAW.format(vsn="2")}, both)
    small.new_handler("1")
    (warning,) = [one for one in (await small.handler.plan("2")).warnings if "startup" in one]
    assert warning.startswith("The startups of shop.raw:app and shop.raw:other run before the switch")
    assert (await small.install("2")).outcome == "installed"
    assert await client.get("/") == (200, "1 2")
    client.close()
    await application.stop("web")


async def test_an_application_without_lifespans_is_served_and_one_whose_startup_fails_is_not(
    small: SmallNode,
) -> None:
    raises = "async def app(scope, receive, send):\n    if scope['type'] == 'lifespan':\n        {first}\n"
    raises += "        raise ValueError('no')\n    await send({{'type': 'http.response.start', 'status': 204}})\n"
    raises += "    await send({{'type': 'http.response.body'}})\n"
    modules = {"shop.without": raises.format(first="pass"), "shop.failing": raises.format(first="await receive()")}
    small.write("1", modules)
    small.boot()
    application.load(web.APPLICATION)
    await application.start("web")
    await web.start_asgi("site", "shop.without:app", port=0)
    client = Client(web.port("site"))
    assert await client.get("/") == (204, "")
    client.close()
    with pytest.raises(Refused, match=r"the startup of shop\.failing:app failed: ValueError: no"):
        await web.start_asgi("other", "shop.failing:app", port=0)
    assert [child.id for child in which_children("web_sup")] == ["site"]
    await application.stop("web")

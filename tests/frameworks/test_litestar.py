"""An application of Litestar behind a listener: served, upgraded, and upgraded back."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from node_runtime import application, web
from tests.support.web.http_client import Client

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

HANDLERS = """
from litestar import Controller, get

VSN = "1"

@get("/")
async def hello() -> dict[str, str]:
    return {"vsn": VSN}

class Users(Controller):
    path = "/users"

    @get("/ann")
    async def user(self) -> dict[str, int]:
        return {"user": 1}
"""
MORE_HANDLERS = """
    @get("/ann/name")
    async def name(self) -> str:
        return "ann"
"""
MAIN = """
from litestar import Litestar
from .handlers import Users, hello

async def started(app):
    app.state.starts = app.state.get("starts", 0) + 1

app = Litestar([hello, Users], on_startup=[started])
"""


async def test_the_handlers_of_an_application_are_upgraded_and_go_back(small: SmallNode) -> None:
    steps = '{ load_module = "shop.handlers" }, { load_module = "shop.main" }'
    ways = f'[[up]]\nfrom = "1"\ninstructions = [{steps}]\n[[down]]\nto = "1"\ninstructions = [{steps}]\n'
    small.write("1", {"shop.handlers": HANDLERS, "shop.main": MAIN})
    small.write("2", {"shop.handlers": HANDLERS.replace('"1"', '"2"'), "shop.main": MAIN}, ways)
    small.boot()
    application.load(web.APPLICATION)
    await application.start("web")
    await web.start_asgi("site", "shop.main:app", port=0)
    client = Client(web.port("site"))
    for vsn in ("2", "1", "2"):
        assert await client.get("/") == (200, f'{{"vsn":"{"1" if vsn == "2" else "2"}"}}')
        # Litestar starts a thread for its log when an application is made, so the module can't be tried in a copy.
        done = await small.install(vsn, unrehearsed=True)
        assert done.outcome == "installed", done.error
        assert await client.get("/") == (200, f'{{"vsn":"{vsn}"}}')
    client.close()
    await application.stop("web")


async def test_what_litestar_makes_on_use_is_no_lost_data(small: SmallNode) -> None:
    steps = '{ load_module = "shop.handlers" }, { load_module = "shop.main" }'
    quiet = MAIN.replace("on_startup", "logging_config=None, on_startup")  # without the thread of its log
    small.write("1", {"shop.handlers": HANDLERS, "shop.main": quiet})
    more = HANDLERS.replace('"1"', '"2"') + MORE_HANDLERS
    small.write("2", {"shop.handlers": more, "shop.main": quiet}, f'[[up]]\nfrom = "1"\ninstructions = [{steps}]\n')
    small.boot()
    application.load(web.APPLICATION)
    await application.start("web")
    await web.start_asgi("site", "shop.main:app", port=0)
    client = Client(web.port("site"))
    for path, status in (
        ("/", 200),
        ("/users/ann", 200),
        ("/schema", 200),
        ("/schema/openapi.json", 200),
        ("/no", 404),
    ):
        assert (await client.get(path))[0] == status
    plan = await small.handler.plan("2")
    assert not plan.blockers
    assert plan.lost == ()
    handlers: Any = importlib.import_module("shop.handlers")
    handlers.hello.opt["seen"] = 1
    assert [one.partition(" ")[0] for one in (await small.handler.plan("2")).lost] == ["shop.handlers.hello"]
    client.close()
    await application.stop("web")

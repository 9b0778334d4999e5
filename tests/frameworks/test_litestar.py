"""An application of Litestar behind a listener: served, upgraded, and upgraded back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node_runtime import application, web
from tests.support.web.http_client import Client

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

HANDLERS = """
from litestar import get

VSN = "1"

@get("/")
async def hello() -> dict[str, str]:
    return {"vsn": VSN}
"""
MAIN = """
from litestar import Litestar
from .handlers import hello

async def started(app):
    app.state.starts = app.state.get("starts", 0) + 1

app = Litestar([hello], on_startup=[started])
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

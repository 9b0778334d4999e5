"""An application of aiohttp, which its own server runs: what it makes for its requests is no lost data."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from aiohttp.web import AppRunner, TCPSite

from tests.support.web.http_client import Client

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

MAIN = """
import os

from aiohttp import web

VSN = 1
STORE = web.AppKey("store", list)

@web.middleware
async def counted(request, handler):
    return await handler(request)

async def hello(request):
    return web.json_response({"vsn": VSN})

async def opened(app):
    yield

reports = web.Application()
reports.router.add_get("/", hello)
app = web.Application(middlewares=[counted])
app[STORE] = []
app.router.add_get("/", hello)
app.router.add_static("/static", os.path.dirname(__file__))
app.add_subapp("/reports", reports)
app.cleanup_ctx.append(opened)
"""


async def test_what_an_application_makes_for_its_requests_is_no_lost_data(small: SmallNode) -> None:
    small.write("1", {"shop.main": MAIN})
    ways = '[[up]]\nfrom = "1"\ninstructions = [{ load_module = "shop.main" }]\n'
    small.write("2", {"shop.main": MAIN.replace("VSN = 1", "VSN = 2")}, ways)
    small.boot()
    main: Any = importlib.import_module("shop.main")
    runner = AppRunner(main.app)
    await runner.setup()
    await TCPSite(runner, "127.0.0.1", 0).start()
    client = Client(runner.addresses[0][1])
    for path, status in (("/", 200), ("/static/main.py", 200), ("/reports/", 200), ("/no", 404)):
        assert (await client.get(path))[0] == status, path
    assert (await small.handler.plan("2")).lost == ()
    main.app[main.STORE].append("order")
    assert [one.partition(" ")[0] for one in (await small.handler.plan("2")).lost] == ["shop.main.app"]
    client.close()
    await runner.cleanup()

"""A plugin of Datasette is upgraded while Datasette, which is third-party code, stays as it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from node_runtime import application, web
from tests.support.web.http_client import Client

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

PLUGIN = """
from datasette import hookimpl

VSN = "1"

@hookimpl
def actor_from_request(request):
    return {"id": VSN}
"""
MAIN = """
from datasette.app import Datasette
from datasette.plugins import pm
from . import plugin, steps

if not pm.is_registered(plugin):
    pm.register(plugin, "shop")
datasette = Datasette(memory=True)
app = datasette.app()
"""

STEPS = """
import os

NODE = os.getpid()

def fail():
    if os.getpid() == NODE:  # a rehearsal is another OS process
        raise ValueError("on purpose")
"""


async def test_a_plugin_is_upgraded_twice_goes_back_and_survives_a_failed_install(small: SmallNode) -> None:
    for vsn, before in (("1", ""), ("2", "1"), ("3", "2"), ("4", "2")):
        load = '{ load_module = "shop.plugin" }, { load_module = "shop.main" }'
        if vsn == "4":
            load += ', { apply = "shop.steps:fail" }'
        ways = (
            f'[[up]]\nfrom = "{before}"\ninstructions = [{load}]\n[[down]]\nto = "{before}"\ninstructions = [{load}]\n'
        )
        modules = {"shop.steps": STEPS, "shop.plugin": PLUGIN.replace('"1"', f'"{vsn}"'), "shop.main": MAIN}
        small.write(vsn, modules, ways if before else "")
    small.boot()
    application.load(web.APPLICATION)
    await application.start("web")
    await web.start_asgi("site", "shop.main:app", port=0)
    client = Client(web.port("site"))
    status, body = await client.get("/-/actor.json")
    assert (status, json.loads(body)) == (200, {"actor": {"id": "1"}})
    for vsn in ("2", "3", "2"):
        done = await small.install(vsn)
        assert done.outcome == "installed", done.error
        status, body = await client.get("/-/actor.json")
        assert (status, json.loads(body)) == (200, {"actor": {"id": vsn}})
    assert (await small.install("4", unrehearsed=True)).outcome == "put back"
    status, body = await client.get("/-/actor.json")
    assert (status, json.loads(body)) == (200, {"actor": {"id": "2"}})
    client.close()
    await application.stop("web")

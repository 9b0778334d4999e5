"""Objects that a state shares with a module outside the script: they adopt the new class, and stay the same objects."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from node_runtime import gen_server
from node_runtime.behaviours.upgrade import live_processes

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

SHARED = "ALL = set()\n"
BOX = """
from node_runtime import GenServer
class Item:
    vsn = {vsn}
class Box(GenServer[dict]):
    def init(self):
        return {{}}
"""
UPDATE_BOX = """
    [[up]]
    from = "1"
    instructions = [ { update = "shop.box", change = "advanced" } ]
    [[down]]
    to = "1"
    instructions = [ { update = "shop.box", change = "advanced" } ]
"""


async def test_an_object_of_a_state_and_of_a_module_outside_the_script_stays_one_object(small: SmallNode) -> None:
    small.write("1", {"shop.shared": SHARED, "shop.box": BOX.format(vsn=1)})
    small.write("2", {"shop.shared": SHARED, "shop.box": BOX.format(vsn=2)}, UPDATE_BOX)
    small.boot()
    box, every = importlib.import_module("shop.box"), importlib.import_module("shop.shared").ALL
    pid = await gen_server.start(box.Box, name="box")
    state = live_processes.raw_state(pid)
    state["shared"], state["own"] = box.Item(), box.Item()
    every.add(state["shared"])
    del state  # a plan would find that the test's own task holds it
    for vsn in ("2", "1"):
        assert (await small.handler.plan(vsn)).warnings == ()
        assert (await small.install(vsn)).outcome == "installed"
        state = live_processes.raw_state(pid)
        assert state["shared"] in every
        assert [one.vsn for one in (*every, state["shared"], state["own"])] == [int(vsn)] * 3
        assert type(state["shared"]) is type(state["own"]) is importlib.import_module("shop.box").Item
        del state

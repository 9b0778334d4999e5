"""A class that moves to another module, or whose module is renamed, has a way up and a way down."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest

from node_runtime import gen_server
from node_runtime.behaviours.upgrade import live_processes

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

POINT = """
from dataclasses import dataclass
@dataclass
class Point:
    x: int
    y: int = 0
"""
BOX = """
from node_runtime import GenServer
from shop import shapes
class Box(GenServer[object]):
    def init(self):
        return {"points": [shapes.Point(3)]}
"""
APPUP = """
    [[up]]
    from = "1"
    instructions = [
        { add_module = "shop.geometry" },
        { load_module = "shop.shapes", deps = ["shop.geometry"] },
        { update = "shop.box", change = "advanced", deps = ["shop.shapes"] },
    ]
    [[down]]
    to = "1"
    instructions = [
        { update = "shop.box", change = "advanced", deps = ["shop.shapes"] },
        { load_module = "shop.shapes", deps = ["shop.geometry"] },
        { delete_module = "shop.geometry" },
    ]
"""


RENAMED = """
    [[up]]
    from = "1"
    instructions = [
        { add_module = "shop.geometry" },
        { update = "shop.box", change = "advanced", deps = ["shop.geometry"] },
        { delete_module = "shop.shapes" },
    ]
    [[down]]
    to = "1"
    instructions = [
        { add_module = "shop.shapes" },
        { update = "shop.box", change = "advanced", deps = ["shop.shapes"] },
        { delete_module = "shop.geometry" },
    ]
"""


MOVED = {"shop.geometry": POINT + "    z: int = 7\n"}
WAYS = {
    "to another module": ({**MOVED, "shop.shapes": "from shop.geometry import Point\n", "shop.box": BOX}, APPUP),
    "with its module": ({**MOVED, "shop.box": BOX.replace("shapes", "geometry")}, RENAMED),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_class_that_moves_goes_up_and_comes_back(small: SmallNode, way: str) -> None:
    modules, appup = WAYS[way]
    small.write("1", {"shop.shapes": POINT, "shop.box": BOX})
    small.write("2", modules, appup, probation="deadline = 600")
    small.boot()
    await gen_server.start(importlib.import_module("shop.box").Box, name="box")
    plan = await small.handler.plan("2")
    assert (plan.blockers, plan.way_back) == ((), True)
    assert [one for one in plan.warnings if "way back" in one] == []
    installed = await small.install("2")
    assert (installed.outcome, installed.error) == ("installed", None)
    (point,) = live_processes.raw_state("box")["points"]
    assert (type(point).__module__, point.x, point.z) == ("shop.geometry", 3, 7)
    back = await small.roll_back()
    assert (back.outcome, back.error) == ("reverted", None)
    (point,) = live_processes.raw_state("box")["points"]
    assert (type(point).__module__, point.x, hasattr(point, "z")) == ("shop.shapes", 3, False)


async def test_a_class_of_the_same_name_with_other_fields_does_not_replace_a_deleted_one(small: SmallNode) -> None:
    small.write("1", {"shop.shapes": POINT, "shop.box": BOX})
    other = POINT.replace("    x: int", "    radius: int = 1")
    small.write("2", {"shop.geometry": other, "shop.box": BOX.replace("shapes", "geometry")}, RENAMED)
    small.boot()
    await gen_server.start(importlib.import_module("shop.box").Box, name="box")
    [blocker] = (await small.handler.plan("2")).blockers
    assert "the target has no shop.shapes:Point" in blocker.reason

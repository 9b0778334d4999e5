"""A class that moves to another module, and is imported back by its old one, has a way up and a way down."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

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


async def test_a_class_that_moves_to_another_module_goes_up_and_comes_back(small: SmallNode) -> None:
    small.write("1", {"shop.shapes": POINT, "shop.box": BOX})
    moved = {"shop.shapes": "from shop.geometry import Point\n", "shop.geometry": POINT + "    z: int = 7\n"}
    small.write("2", {**moved, "shop.box": BOX}, APPUP, probation="deadline = 600")
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


async def test_a_class_whose_module_is_renamed_goes_up_and_comes_back(small: SmallNode) -> None:
    small.write("1", {"shop.shapes": POINT, "shop.box": BOX})
    box = BOX.replace("shapes", "geometry")
    small.write(
        "2", {"shop.geometry": POINT + "    z: int = 7\n", "shop.box": box}, RENAMED, probation="deadline = 600"
    )
    small.boot()
    await gen_server.start(importlib.import_module("shop.box").Box, name="box")
    plan = await small.handler.plan("2")
    assert (plan.blockers, plan.way_back) == ((), True)
    installed = await small.install("2")
    assert (installed.outcome, installed.error) == ("installed", None)
    (point,) = live_processes.raw_state("box")["points"]
    assert (type(point).__module__, point.x, point.z) == ("shop.geometry", 3, 7)
    back = await small.roll_back()
    assert (back.outcome, back.error) == ("reverted", None)
    (point,) = live_processes.raw_state("box")["points"]
    assert (type(point).__module__, point.x) == ("shop.shapes", 3)


async def test_a_class_of_the_same_name_with_other_fields_does_not_replace_a_deleted_one(small: SmallNode) -> None:
    small.write("1", {"shop.shapes": POINT, "shop.box": BOX})
    other = POINT.replace("    x: int", "    radius: int = 1")
    small.write("2", {"shop.geometry": other, "shop.box": BOX.replace("shapes", "geometry")}, RENAMED)
    small.boot()
    await gen_server.start(importlib.import_module("shop.box").Box, name="box")
    [blocker] = (await small.handler.plan("2")).blockers
    assert "the target has no shop.shapes:Point" in blocker.reason

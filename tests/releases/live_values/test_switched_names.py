"""A plan names the values of a class that a changed module no longer means by the same name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest

from node_runtime import gen_server

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

COUNTER = """
class Counter:
    def __init__(self):
        self.count = 0
"""
API = """
try:
    from shop.fast import Counter
except ImportError:
    from shop.slow import Counter
"""
BOX = """
from node_runtime import GenServer
from shop import api
class Box(GenServer[object]):
    def init(self):
        return {"counter": api.Counter()}
"""
CHANGE = """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        return {"counter": api.Counter()}
"""
APPUP = """
    [[up]]
    from = "1"
    instructions = [
        { add_module = "shop.fast" },
        { load_module = "shop.api", deps = ["shop.fast"] },
        { update = "shop.box", change = "advanced", deps = ["shop.api"] },
    ]
"""
WARNING = (
    "box holds a value of shop.slow:Counter in its state at ['counter']. After the upgrade, the name shop.api:Counter "
    "means shop.fast:Counter, and isinstance checks reject the value: let the code_change of shop.box make a new one."
)


@pytest.mark.parametrize(("change", "expected"), [("", [WARNING]), (CHANGE, [])], ids=["left", "made anew"])
async def test_a_value_of_the_class_that_a_conditional_import_no_longer_finds_is_named(
    small: SmallNode, change: str, expected: list[str]
) -> None:
    small.write("1", {"shop.slow": COUNTER, "shop.api": API, "shop.box": BOX})
    after = {"shop.slow": COUNTER, "shop.fast": COUNTER, "shop.api": API, "shop.box": BOX + change}
    small.write("2", after, APPUP)
    small.boot()
    await gen_server.start(importlib.import_module("shop.box").Box, name="box")
    plan = await small.handler.plan("2")
    assert plan.blockers == ()
    assert [one for one in plan.warnings if "shop.slow" in one] == expected

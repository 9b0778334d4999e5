"""Odd failures of a code_change: the install is put back whole, and its error names the process and the cause."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import pytest

from node_runtime import gen_server
from tests.support.projects.small_shop import COUNTER, COUNTER_2, ONLY_LIVE, UPDATE_COUNTER

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

CHANGING = (
    ONLY_LIVE
    + """
import asyncio, sys

class Unnotable(Exception):
    __notes__ = 3
"""
    + COUNTER_2
    + """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        if CONDITION:
            STATEMENT
        return dict(state)
"""
)
WITHOUT_ENTRY = "del sys.modules['shop.counter']"


async def boot(small: SmallNode, statement: str, condition: str = "live()") -> None:
    small.write("1", {"shop.counter": COUNTER, "shop.prices": ""})
    second = CHANGING.replace("STATEMENT", statement).replace("CONDITION", condition)
    small.write("2", {"shop.counter": second, "shop.prices": ""}, UPDATE_COUNTER)
    small.boot()
    importlib.import_module("shop.prices")
    await gen_server.start(importlib.import_module("shop.counter").Counter, name="counter7")


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("asyncio.current_task().cancel()", "AttributeError: 'NoneType' object has no attribute 'cancel'"),
        (
            WITHOUT_ENTRY,
            "it removes or replaces the entry shop.counter in `sys.modules`; correct the code_change and build the "
            "release under a new vsn",
        ),
        (f"{WITHOUT_ENTRY}; raise ValueError('no')", "ValueError: no"),
        ("raise Unnotable('no')", "Unnotable: no"),
    ],
)
async def test_the_install_is_put_back(small: SmallNode, statement: str, reason: str) -> None:
    await boot(small, statement)
    module = sys.modules["shop.counter"]
    operation = await small.install("2")
    assert (operation.outcome, operation.error) == ("put back", f"code_change of counter7 (shop.counter): {reason}")
    assert sys.modules["shop.counter"] is module
    assert await gen_server.call("counter7", module.Counter.version) == "c1"


@pytest.mark.parametrize("module", ["shop.counter", "shop.prices"])
async def test_a_plan_names_a_code_change_that_takes_a_module_out_of_sys_modules(small: SmallNode, module: str) -> None:
    await boot(small, WITHOUT_ENTRY.replace("shop.counter", module), "True")
    (blocker,) = (await small.handler.plan("2")).blockers
    assert blocker.reason.endswith(f"its code_change removes or replaces the entry {module} in `sys.modules`")
    assert blocker.remedy == "correct the code_change and build the release under a new vsn"

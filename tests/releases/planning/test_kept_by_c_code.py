"""A plan names the functions that C code would keep, and the refusal of the next upgrade names them, with a remedy."""

from __future__ import annotations

import importlib
import sqlite3
from typing import TYPE_CHECKING

from node_runtime import gen_server
from tests.support.projects.small_shop import COUNTER, COUNTER_2, LOAD_COUNTER

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

LOWER = "\ndef lower(text):\n    return text.lower()\n"


async def test_a_plan_and_the_next_refusal_name_what_sqlite_keeps(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER + LOWER})
    small.write("2", {"shop.counter": COUNTER_2 + LOWER}, LOAD_COUNTER)
    small.write("3", {"shop.counter": COUNTER_2 + LOWER + "FIXED = 1"}, LOAD_COUNTER.replace('"1"', '"2"'))
    small.boot()
    module = importlib.import_module("shop.counter")
    await gen_server.start_link(module.Counter, name="counter")
    connection = sqlite3.connect(":memory:")
    connection.create_function("lower", 1, module.lower)
    plan = await small.handler.plan("2")
    assert plan.blockers == ()
    assert plan.warnings == (
        "C code, such as sqlite3 or atexit, holds shop.counter.lower: the old version of shop.counter stays in use. "
        "After the upgrade, let the program register the new function at the same place, for example in a "
        "code_change; else the next upgrade of the module is refused until a purge.",
    )
    await small.install("2")
    (blocker,) = (await small.handler.plan("3")).blockers
    assert blocker.reason.endswith("C code, such as sqlite3 or atexit, holds shop.counter.lower")
    assert blocker.remedy == (
        "let the program register the new function at the same place, or drop the old version with `hotdash purge NODE "
        "shop.counter`: then C code still calls the old function until the program registers another one"
    )
    connection.create_function("lower", 1, module.lower)
    assert (await small.handler.plan("3")).blockers == ()
    connection.close()

"""The time between the first suspend and the last resume, while a script waits: starts, exits, and calls."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING, Any

import pytest

from node_runtime import call_within, exit, gen_server, is_alive, process_info
from node_runtime.behaviours.upgrade import live_processes
from tests.support.projects.small_shop import COUNTER, COUNTER_2, MIGRATING, UPDATE_COUNTER
from tests.support.waiting import begun, eventually

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

GATES = """
import asyncio

reached = asyncio.Event()
opened = asyncio.Event()

async def wait():
    reached.set()
    await opened.wait()

def fail():
    raise RuntimeError("on purpose")
"""

TURNS = """
import asyncio

count = 0

async def go_on():
    global count
    while True:
        count += 1
        await asyncio.sleep(0)
"""

LOOKING_AT_TURNS = (
    COUNTER_2
    + """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        if turns.count == EXECUTED:
            raise ValueError("nothing else has run since the body")
        return state

from shop import turns
EXECUTED = turns.count
"""
)

SCRIPT = """
    [[up]]
    from = "1"
    instructions = [
      { load_object_code = "shop", vsn = "2", modules = ["shop.counter"] },
      { point_of_no_return = true },
      { suspend = ["shop.counter"] },
      { load = "shop.counter" },
      { apply = "shop.gates:wait" },
      { code_change = [["shop.counter", []]], mode = "up" },
      { resume = ["shop.counter"] },
      LAST
    ]
"""


async def in_the_middle(small: SmallNode, last: str = "") -> Any:
    """A node whose install waits at a gate, with all processes held; returns the module with the gate."""
    small.write("1", {"shop.counter": COUNTER, "shop.gates": GATES})
    small.write("2", {"shop.counter": MIGRATING, "shop.gates": GATES}, SCRIPT.replace("LAST", last))
    small.boot()
    counter = importlib.import_module("shop.counter").Counter
    for name in ("one", "two"):
        await gen_server.start(counter, name=name)
    gates = importlib.import_module("shop.gates")
    small.operation = asyncio.create_task(small.install("2"))
    await gates.reached.wait()
    return gates


@pytest.mark.parametrize(
    ("last", "outcome", "vsn"), [("", "installed", "c2"), ('{ apply = "shop.gates:fail" }', "put back", "c1")]
)
async def test_a_process_started_meanwhile_runs_the_code_that_stays(
    small: SmallNode, last: str, outcome: str, vsn: str
) -> None:
    gates = await in_the_middle(small, last)
    counter = importlib.import_module("shop.counter").Counter
    born = asyncio.create_task(gen_server.start(counter, name="born"))
    asked = asyncio.create_task(call_within(None, "one", counter.add))
    await begun(asked)
    assert not born.done()
    assert process_info("one").status == "suspended"
    gates.opened.set()
    assert (await small.operation).outcome == outcome
    assert live_processes.running_code(await born)[2]["__vsn__"] == vsn
    assert live_processes.raw_state(await born) == {"count": 0}
    assert await asked == 1


async def test_a_process_that_exits_meanwhile_is_done(small: SmallNode) -> None:
    gates = await in_the_middle(small)
    exit("one", "kill")
    gates.opened.set()
    operation = await small.operation
    assert (operation.outcome, operation.error) == ("installed", None)
    assert sorted((result.name, result.outcome) for result in operation.results) == [("one", "died"), ("two", "ok")]
    assert is_alive(live_processes.pids_using("shop.counter")[0])


async def test_pauses_are_reported_for_each_process_and_in_total(small: SmallNode) -> None:
    gates = await in_the_middle(small)
    gates.opened.set()
    operation = await small.operation
    assert operation.pause is not None
    assert len(operation.results) == 2
    assert all(0 < result.seconds <= operation.pause for result in operation.results)


async def test_a_node_that_stops_in_the_middle_leaves_no_process_held(small: SmallNode) -> None:
    gates = await in_the_middle(small)
    await small.handler.stop()
    await eventually(lambda: process_info("one").status == "idle", what="the resume")
    assert live_processes.running_code("one")[2]["__vsn__"] == "c1"
    small.operation.cancel()
    gates.opened.set()


async def test_others_run_between_the_bodies_of_modules_and_the_copy_for_the_rehearsal(small: SmallNode) -> None:
    """Each of both stops the event loop, so requests would wait for the sum."""
    small.write("1", {"shop.counter": COUNTER, "shop.turns": TURNS})
    small.write("2", {"shop.counter": LOOKING_AT_TURNS, "shop.turns": TURNS}, UPDATE_COUNTER)
    small.boot()
    await gen_server.start(importlib.import_module("shop.counter").Counter, name="one")
    others = asyncio.create_task(importlib.import_module("shop.turns").go_on())
    operation = await small.install("2")
    others.cancel()
    assert (operation.outcome, operation.error) == ("installed", None)

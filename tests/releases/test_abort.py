"""An operation that prepares or waits can be aborted; one that changes the node can't."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING

import pytest

from node_runtime import call, call_within, gen_server, gen_statem, whereis
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import Refused
from tests.support.projects.small_shop import COUNTER, LAMP, LAMP_2, LOAD_COUNTER, LOAD_LAMP
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]


async def test_an_install_that_waits_is_aborted_and_the_next_one_can_begin(small: SmallNode) -> None:
    small.write("1", {"shop.lamp": LAMP})
    small.write("2", {"shop.lamp": LAMP_2}, LOAD_LAMP)
    handler = small.boot()
    await gen_statem.start(importlib.import_module("shop.lamp").Lamp, "lime", name="lamp")
    operation = handler.install(m.Install(vsn="2", wait=600.0), "ann")
    await eventually(lambda: handler.operation(operation).phase == "waiting", what="the wait")
    waiting = handler.operation(operation)
    assert "lime" in waiting.waits_for
    assert waiting.waits_until is not None
    with pytest.raises(Refused, match="wait until the operation has ended, or abort it"):
        handler.rollback(m.Rollback(), "bob")
    with pytest.raises(Refused, match="The operation 123 is not running"):
        handler.abort(m.Abort(operation="123"), "bob")
    assert handler.abort(m.Abort(operation=operation, reason="too slow"), "bob", "bob@desk") == operation
    ended = await small.ended(operation)
    assert (ended.outcome, ended.error) == (
        "aborted",
        f"bob aborted it: too slow, while it waited for: {waiting.waits_for}.",
    )
    assert handler.vsn == "1"
    again = handler.install(m.Install(vsn="2", wait=600.0), "ann")
    handler.abort(m.Abort(), "operator", "ann@desk")
    assert (await small.ended(again)).error == "operator (ann@desk) aborted it."


async def test_a_hold_that_takes_long_says_for_whom_it_waits_and_can_be_aborted(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER})
    update = LOAD_COUNTER.replace('{ load_module = "shop.counter" }', '{ update = "shop.counter", timeout = 600 }')
    small.write("2", {"shop.counter": COUNTER + "X = 1\n"}, update)
    handler = small.boot()
    counter = importlib.import_module("shop.counter").Counter
    for name in ("idle", "busy"):
        await gen_server.start(counter, name=name)
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asking = asyncio.create_task(call_within(None, "busy", counter.wait, gate))
    await eventually(lambda: gate._asyncio_future_blocking is not None, what="the call")
    operation = handler.install(m.Install(vsn="2"), "ann")
    await eventually(lambda: handler.operation(operation).waits_for != "", what="the report of the busy process")
    holding = handler.operation(operation)
    assert (holding.phase, holding.waits_for) == ("holding", f"the callback wait of busy {whereis('busy')}")
    assert holding.waits_until is not None
    handler.abort(m.Abort(), "bob")
    ended = await small.ended(operation)
    assert ended.error == f"bob aborted it, while it waited for: {holding.waits_for}."
    assert await call("idle", counter.add) == 1
    gate.set_result(None)
    assert await asking == "c1"


async def test_an_operation_that_changes_the_node_is_not_aborted(small: SmallNode) -> None:
    gates = "import asyncio\nREACHED = asyncio.Event()\nOPEN = asyncio.Event()\n"
    gates += "async def wait():\n    REACHED.set()\n    await OPEN.wait()\n"
    apply = LOAD_COUNTER.replace('"shop.counter" }', '"shop.counter" }, { apply = "shop.gates:wait" }')
    small.write("1", {"shop.counter": COUNTER, "shop.gates": gates})
    small.write("2", {"shop.counter": COUNTER + "X = 1\n", "shop.gates": gates}, apply)
    handler = small.boot()
    importlib.import_module("shop.counter")
    operation = handler.install(m.Install(vsn="2"), "ann")
    opened = importlib.import_module("shop.gates")
    await opened.REACHED.wait()
    with pytest.raises(Refused, match=f"The operation {operation} is changing the node and can't be aborted"):
        handler.abort(m.Abort(), "bob")
    opened.OPEN.set()
    assert (await small.ended(operation)).outcome == "installed"


async def test_an_install_that_waits_before_the_point_of_no_return_is_aborted_and_undone(small: SmallNode) -> None:
    gates = "import asyncio\nOPEN = asyncio.Event()\nDONE = []\nasync def wait():\n    await OPEN.wait()\n"
    gates += "def close():\n    DONE.append('closed')\ndef open():\n    DONE.append('open')\n"
    steps = '{ apply = "shop.gates:close", undo = "shop.gates:open" }, { apply = "shop.gates:wait" }'
    update = LOAD_COUNTER.replace(
        "{ load_module", f"{steps}, {{ point_of_no_return = true }}, {{ timeout = 600, update"
    )
    small.write("1", {"shop.counter": COUNTER, "shop.gates": gates})
    small.write("2", {"shop.counter": COUNTER + "X = 1\n", "shop.gates": gates}, update)
    handler = small.boot()
    await gen_server.start(importlib.import_module("shop.counter").Counter, name="counter")
    handler.install(m.Install(vsn="2", unrehearsed=True), "ann")
    gate = importlib.import_module("shop.gates")
    await eventually(lambda: gate.DONE, what="the first instruction")
    operation = handler.abort(m.Abort(), "bob")
    assert (await small.ended(operation)).error == "bob aborted it."
    assert gate.DONE == ["closed", "open"]
    assert await call("counter", importlib.import_module("shop.counter").Counter.add) == 1


async def test_without_an_operation_there_is_nothing_to_abort(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER})
    with pytest.raises(Refused, match="No operation is running, so there is nothing to abort"):
        small.boot().abort(m.Abort(), "ann")

"""Values outside of states: messages, timers, arguments of calls and restarts."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING, Any

from node_runtime import ChildSpec, gen_server, runtime, send_after, supervisor
from node_runtime.behaviours.upgrade import live_processes
from node_runtime.behaviours.upgrade.live_processes import raw_state
from node_runtime.processes import process_info
from node_runtime.protocol import messages as m
from node_runtime.releases.planning.conditions import WAIT_REMEDY
from node_runtime.supervisor import Supervisor
from tests.releases.live_values.test_values_in_plans import BOX, LOAD_STATUS, STATUS, STATUS_2, UPDATE_BOX
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]


class BoxSup(Supervisor):
    """A supervisor outside of the release, with one box."""

    strategy, intensity, period = "one_for_one", 1, 5.0

    def children(self) -> list[ChildSpec]:
        return [ChildSpec("box", start=f"{__name__}:start_box", restart="permanent")]


async def start_box() -> Any:
    return await gen_server.start_link(importlib.import_module("shop.box").Box, name="box")


async def plan_with(small: SmallNode, appup: str = LOAD_STATUS, status_2: str = STATUS_2) -> Any:
    """Write both releases, boot and start a supervised box without values; returns the module shop.status."""
    box = BOX.format(imports="from shop import status", state="{}")
    small.write("1", {"shop.status": STATUS, "shop.box": box})
    small.write("2", {"shop.status": status_2, "shop.box": box}, appup)
    small.boot()
    await supervisor.start_link(BoxSup, name="box_sup")
    return importlib.import_module("shop.status").Status


def only(plan: m.Plan) -> tuple[m.LiveValue, m.Blocker]:
    (value,), (blocker,) = plan.live_values, plan.blockers
    return value, blocker


async def test_the_arguments_of_a_running_call_are_a_blocker_that_passes(small: SmallNode) -> None:
    status = await plan_with(small)
    box, gate = importlib.import_module("shop.box").Box, asyncio.Event()
    busy = asyncio.ensure_future(gen_server.call_within(None, "box", box.hold, gate.wait(), order=status.PAID))
    await eventually(lambda: process_info("box").callback == "hold", what="the call")
    value, blocker = only(await small.handler.plan("2"))
    assert (value.place, value.path, value.outcome, blocker.transient) == ("call", "['order']", "waits", True)
    assert blocker.remedy == (f"{WAIT_REMEDY}; `hotdash restart` ends a call that does not end by itself")
    gate.set()
    await busy


async def test_the_call_of_a_process_that_the_install_suspends_has_ended_at_the_switch(small: SmallNode) -> None:
    status = await plan_with(small, UPDATE_BOX)
    box, gate = importlib.import_module("shop.box").Box, asyncio.Event()
    busy = asyncio.ensure_future(gen_server.call_within(None, "box", box.hold, gate.wait(), order=status.PAID))
    await eventually(lambda: process_info("box").callback == "hold", what="the call")
    plan = await small.handler.plan("2")
    assert (plan.blockers, plan.live_values) == ((), ())
    operation = small.handler.install(m.Install(vsn="2"), "ann")
    await eventually(lambda: small.handler.operation(operation).phase == "holding", what="the hold")
    gate.set()
    await busy
    assert (await small.ended(operation)).outcome == "installed"


async def test_a_timer_whose_message_cant_be_converted_is_a_blocker_whose_remedy_works(small: SmallNode) -> None:
    status = await plan_with(small, status_2=STATUS.replace("OPEN", "NEW"))
    send_after(1000, runtime().names["box"].pid, ("tick", status.OPEN))
    value, blocker = only(await small.handler.plan("2"))
    assert (value.place, value.path, blocker.transient) == ("timer", "[1]", False)
    assert blocker.remedy == (
        "keep the member OPEN, or "
        'begin the appup of release 2 with { apply = "node_runtime.supervisor:terminate_child", args = ["box_sup", '
        '"box"] }, and end it with { apply = "node_runtime.supervisor:restart_child", args = ["box_sup", "box"] }: the '
        "process then starts anew"
    )


async def test_a_timer_whose_message_is_converted_keeps_nothing_in_old_code(small: SmallNode) -> None:
    box = BOX.format(imports="from shop import status", state="{}")
    tick = "class Tick:\n    def show(self):\n        return {}\n"
    small.write("1", {"shop.status": tick.format(1), "shop.box": box})
    small.write("2", {"shop.status": tick.format(2), "shop.box": box}, LOAD_STATUS)
    small.boot()
    await supervisor.start_link(BoxSup, name="box_sup")
    send_after(1000, "box", importlib.import_module("shop.status").Tick())
    plan = await small.handler.plan("2")
    assert (plan.blockers, plan.warnings) == ((), ())


RESTART_BOX = LOAD_STATUS.replace(
    '{ load_module = "shop.status" }',
    """{ apply = "node_runtime.supervisor:terminate_child", args = ["box_sup", "box"] },
       { load_module = "shop.status" },
       { apply = "node_runtime.supervisor:restart_child", args = ["box_sup", "box"] }""",
)


async def test_a_process_that_the_script_stops_and_starts_holds_nothing_afterwards(small: SmallNode) -> None:
    status = await plan_with(small, RESTART_BOX)
    before = runtime().names["box"].pid
    send_after(1000, before, ("tick", status.OPEN))
    plan = await small.handler.plan("2")
    assert (plan.blockers, plan.live_values) == ((), ())
    assert (await small.install("2")).outcome == "installed"
    assert runtime().names["box"].pid != before


async def start_child_with(order: object) -> Any:
    """Start a child that has arguments; returns its row in the supervisor's table."""
    spec = ChildSpec("more", start=f"{__name__}:start_more", args=([order],), restart="permanent")
    await supervisor.start_child("box_sup", spec)
    return raw_state("box_sup").children["more"]


async def test_the_arguments_with_which_a_child_would_be_restarted_are_converted(small: SmallNode) -> None:
    status = await plan_with(small)
    child = await start_child_with(status.OPEN)
    plan = await small.handler.plan("2")
    assert plan.blockers == ()
    assert [(one.place, one.detail, one.path, one.outcome) for one in plan.live_values] == [
        ("child arguments", "more", "[0][0]", "migrated")
    ]
    assert child.spec.args == ([status.OPEN],), "a plan changes nothing"
    assert (await small.install("2")).outcome == "installed"
    new = importlib.import_module("shop.status").Status
    assert new is not status
    assert child.spec.args == ([new.OPEN],)
    assert (await small.roll_back()).outcome == "reverted"
    assert child.spec.args == ([status.OPEN],)


class PoolSup(Supervisor):
    """A supervisor outside of the release, whose instances have arguments of their own."""

    strategy, intensity, period = "simple_one_for_one", 1, 5.0

    def children(self) -> list[ChildSpec]:
        return [ChildSpec("pooled", start=f"{__name__}:start_more")]


async def test_the_arguments_of_an_instance_are_converted_also_when_the_table_was_made_anew(small: SmallNode) -> None:
    status = await plan_with(small)
    await supervisor.start_link(PoolSup, name="pool_sup")
    for argument in (1, status.OPEN, "text"):
        await supervisor.start_child("pool_sup", [argument])
    await live_processes.hold("pool_sup", owner="test", timeout=60)
    live_processes.reload_child_specs("pool_sup")
    live_processes.release("pool_sup", owner="test")
    assert (await small.install("2", unrehearsed=True)).outcome == "installed"
    new = importlib.import_module("shop.status").Status
    assert [child.args for child in raw_state("pool_sup").by_pid.values()] == [(1,), (new.OPEN,), ("text",)]


async def test_a_failed_install_puts_the_arguments_of_children_back(small: SmallNode) -> None:
    failing = LOAD_STATUS.replace(
        '{ load_module = "shop.status" }', '{ load_module = "shop.status" }, { apply = "shop.status:fail" }'
    )
    fail = "import asyncio\nasync def fail():\n    await asyncio.sleep(0)\n    raise OSError\n"
    status = await plan_with(small, failing, STATUS_2 + fail)
    child = await start_child_with(status.OPEN)
    spec = child.spec
    assert (await small.install("2", unrehearsed=True)).outcome == "put back"
    assert child.spec is spec


async def test_arguments_that_cant_be_converted_are_a_blocker_that_names_what_to_keep(small: SmallNode) -> None:
    status = await plan_with(small, status_2=STATUS.replace("OPEN", "NEW"))
    await start_child_with(status.OPEN)
    value, blocker = only(await small.handler.plan("2"))
    assert (value.name, value.place, value.detail, value.path) == ("box_sup", "child arguments", "more", "[0][0]")
    assert "the arguments for a restart of its child more" in blocker.reason
    assert blocker.remedy.startswith("keep the member OPEN, or ")


async def start_more(orders: object) -> Any:
    return await gen_server.start_link(importlib.import_module("shop.box").Box)

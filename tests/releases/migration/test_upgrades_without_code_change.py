"""An `update` whose class defines no code_change migrates the states by default, up and down, as the plan has said."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pytest

from node_runtime import gen_server, gen_statem
from node_runtime.behaviours.upgrade import live_processes
from tests.support.projects.small_shop import UPDATE_COUNTER

if TYPE_CHECKING:
    from node_runtime.protocol import messages as m
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

COUNTER = """
from dataclasses import dataclass, field
from enum import Enum
from node_runtime import GenServer, GenStatem, Next

class Status(Enum):
    OPEN = 1
    PAID = 2

@dataclass
class Order:
    number: int
    status: Status = Status.OPEN

@dataclass(slots=True)
class State:
    count: int = 0
    orders: list[Order] = field(default_factory=list)

class Counter(GenServer[State]):
    def init(self):
        return State(4, [Order(1, Status.PAID)])

class Machine(GenStatem[State]):
    def init(self):
        return "idle", State(5)

    def idle(self, event):
        return Next("idle")
"""
GROWN = (
    COUNTER.replace("PAID = 2", "PAID = 2\n    VOID = 3")
    .replace("status: Status = Status.OPEN", "status: Status = Status.OPEN\n    note: str = ''")
    .replace("factory=list)", "factory=list)\n    total: int = 100")
)


def module() -> Any:
    return importlib.import_module("shop.counter")


async def start(small: SmallNode, before: str, after: str) -> m.Plan:
    small.write("1", {"shop.counter": before})
    small.write("2", {"shop.counter": after}, UPDATE_COUNTER, probation="deadline = 600")
    small.boot()
    await gen_server.start(module().Counter, name="counter")
    return await small.handler.plan("2")


async def test_fields_and_members_go_by_name_and_come_back(small: SmallNode) -> None:
    plan = await start(small, COUNTER, GROWN)
    await gen_statem.start(module().Machine, name="machine")
    before = live_processes.raw_state("counter")
    assert (plan.way_back, plan.blockers, plan.warnings, plan.lost) == (True, (), (), ())
    assert plan.lost_on_way_back == (
        "A rollback drops a field: counter (at orders[0]): release 1 has no shop.counter:Order.note, so this field "
        "is lost; it holds no data now.",
        "A rollback drops a field: counter: release 1 has no shop.counter:State.total, so this field is lost; it holds "
        "no data now.",
    )
    assert plan.rehearsal is not None
    assert [one.given_back for one in plan.rehearsal.results] == [True]

    assert (await small.install("2")).outcome == "installed"
    state = live_processes.raw_state("counter")
    assert type(state) is module().State
    assert state == module().State(4, [module().Order(1, module().Status.PAID)], 100)
    assert live_processes.raw_state("machine") == ("idle", module().State(5))
    state.total, state.orders[0].note = 7, "kept until the rollback"

    assert (await small.roll_back()).outcome == "reverted"
    assert live_processes.raw_state("counter") == module().State(4, [module().Order(1, module().Status.PAID)])
    assert before == live_processes.raw_state("counter")


async def test_data_that_an_upgrade_loses_is_said(small: SmallNode) -> None:
    plan = await start(small, GROWN, COUNTER)
    assert plan.lost == ()
    live_processes.raw_state("counter").total = 7
    plan = await small.handler.plan("2")
    assert plan.lost == (
        "counter: release 2 has no shop.counter:State.total, so this field is lost; it holds data in 1 of 1 objects.",
    )
    dropped = "counter (at orders[0]): release 2 has no shop.counter:Order.note, so this field is lost"
    assert f"{dropped}; it holds no data now." in plan.warnings
    order = module().Order
    live_processes.raw_state("counter").orders.append(order(2, module().Status.PAID, note="ring twice"))
    plan = await small.handler.plan("2")
    assert (
        "counter (at orders[1]): release 2 has no shop.counter:Order.note, so this field is lost; it holds data in 1 "
        "of 2 objects."
    ) in plan.lost


@pytest.mark.parametrize(
    ("after", "reason", "remedy"),
    [
        (
            COUNTER.replace("count: int = 0", "owner: str\n    count: int = 0"),
            "shop.counter:State has a new field owner without a default",
            "give owner a default, or write a code_change in Counter",
        ),
        (
            COUNTER.replace("status: Status", "status: str"),
            "shop.counter:Order.status is a shop.counter.Status, not str (at orders[0])",
            "keep the type of status, or write a code_change in Counter",
        ),
        (
            COUNTER.replace("PAID = 2", "SETTLED = 2"),
            "shop.counter:Status has no member PAID in the target (at orders[0].status)",
            "keep the member PAID, or write a code_change in Counter",
        ),
    ],
)
async def test_what_can_not_be_migrated_is_a_blocker(small: SmallNode, after: str, reason: str, remedy: str) -> None:
    plan = await start(small, COUNTER, after)
    (blocker,) = plan.blockers
    pid = live_processes.pids_using("shop.counter")[0]
    assert (blocker.pid, blocker.remedy) == (pid, remedy)
    assert blocker.reason == f"counter (shop.counter): its state can't be migrated without a code_change: {reason}"
    before = live_processes.raw_state("counter")
    assert (await small.install("2")).outcome == "aborted"
    assert live_processes.raw_state("counter") is before


async def test_a_way_down_that_can_not_be_migrated_is_said_before(small: SmallNode) -> None:
    before = COUNTER.replace("status: Status = Status.OPEN", "status: Status = Status.OPEN\n    kind: str = 'k'")
    before = before.replace("count: int = 0", "count: int")
    after = COUNTER.replace("count: int = 0", "total: int = 0")
    plan = await start(small, before.replace("kind: str = 'k'", ""), after)
    assert not plan.way_back
    assert plan.warnings[0] == (
        "counter (shop.counter): its state can't be migrated without a code_change: shop.counter:State has a new field "
        "count without a default."
    )
    assert plan.lost[0].startswith("counter: release 2 has no shop.counter:State.count, so this field is lost")


async def test_processes_that_share_an_object_share_it_afterwards(small: SmallNode) -> None:
    await start(small, COUNTER, GROWN)
    await gen_server.start(module().Counter, name="other")
    live_processes.raw_state("other").orders = live_processes.raw_state("counter").orders
    done = await small.install("2")
    assert done.outcome == "installed", done
    assert live_processes.raw_state("other").orders is live_processes.raw_state("counter").orders


async def test_an_update_of_a_module_that_no_process_can_have_as_its_own_is_named(small: SmallNode) -> None:
    body = "from node_runtime import GenServer\n\ndef fresh():\n    return {'n': 1}\n"
    small.write("1", {"shop.counter": body})
    small.write("2", {"shop.counter": body.replace("1", "2")}, UPDATE_COUNTER)
    small.boot()
    module()
    (warning,) = (await small.handler.plan("2")).warnings
    assert warning.startswith("shop.counter defines no callback class, so its update calls no code_change. ")

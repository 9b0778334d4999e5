"""Messages, timers and events that hold values of replaced classes are converted at the switch."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING, Any, Final

from node_runtime import gen_server, gen_statem, runtime, send, send_after
from node_runtime.protocol import messages as m
from node_runtime.releases.planning.conditions import WAIT_REMEDY
from tests.releases.live_values.test_values_in_plans import LOAD_STATUS, STATUS, STATUS_2
from tests.support.projects.small_shop import ONLY_LIVE
from tests.support.waiting import begun, eventually

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

ORDERS = """
from dataclasses import dataclass
@dataclass
class Order:
    item: str
    note: str = ""
"""
ORDERS_2 = """
from dataclasses import dataclass
@dataclass
class Order:
    item: str
    pieces: int = 1
"""
ORDERS_3 = """
from dataclasses import dataclass
@dataclass
class Order:
    item: str
    pieces: int
"""
ORDERS_SLOWLY = """
import time
from dataclasses import dataclass, field
def one():
    time.sleep(0.6)
    return 1
@dataclass
class Order:
    item: str
    pieces: int = field(default_factory=one)
"""
DESK = """
import asyncio
from node_runtime import GenServer, GenStatem, Next, Timeout, keep
from shop import orders, status

class Desk(GenServer[list]):
    def init(self):
        return []
    async def hold(self, gate):
        await gate
    def put(self, value):
        self.state.append(value)
        return [value]
    def handle_info(self, message):
        self.state.append(message)
    def drop(self, value):
        pass
    def told(self):
        told, self.state = self.state, []
        return told

class Machine(GenStatem[list]):
    def init(self):
        return "closed", []
    def closed(self, event):
        if type(event).__name__ == "Cast":
            if event.message == "open":
                return Next(state="opened")
            if event.message == "wind":
                return Next(timeouts=(Timeout("bell", 3600.0, generic=True, content=status.Status.OPEN),))
            return Next(postpone=True)
        return keep
    def opened(self, event):
        if type(event).__name__ == "Cast":
            if event.message == "ring":
                return Next(timeouts=(Timeout("bell", "same", generic=True, content=self.data[-1]),))
            self.data.append(event.message)
        return keep
"""
BOTH: Final = LOAD_STATUS.replace(
    '{ load_module = "shop.status" }', '{ load_module = "shop.status" }, { load_module = "shop.orders" }'
)


async def desk_with(
    small: SmallNode, orders_2: str = ORDERS, appup: str = LOAD_STATUS, more: dict[str, str] | None = None
) -> Any:
    """Write both releases, boot, and start a desk; returns the module shop.status."""
    others = {"shop.desk": DESK, **(more or {})}
    small.write("1", {"shop.status": STATUS, "shop.orders": ORDERS, **others})
    small.write("2", {"shop.status": STATUS_2, "shop.orders": orders_2, **others}, appup)
    small.boot()
    await gen_server.start(importlib.import_module("shop.desk").Desk, name="desk")
    return importlib.import_module("shop.status")


async def hold_desk() -> tuple[asyncio.Future[None], asyncio.Task[Any]]:
    """Keep the desk in a callback; returns what ends it, and the call."""
    gate = asyncio.get_running_loop().create_future()
    desk = importlib.import_module("shop.desk").Desk
    busy = asyncio.ensure_future(gen_server.call_within(None, "desk", desk.hold, gate))
    await begun(busy)
    return gate, busy


async def told() -> list[Any]:
    """What the desk was told, when it has handled all messages before."""
    found: list[Any] = await gen_server.call("desk", importlib.import_module("shop.desk").Desk.told)
    return found


async def test_queued_messages_are_converted_and_their_callers_get_replies(small: SmallNode) -> None:
    status = await desk_with(small)
    desk, old = importlib.import_module("shop.desk").Desk, status.Status.OPEN
    gate, busy = await hold_desk()
    gen_server.cast("desk", desk.put, [old])
    send("desk", ("paid", {status.Status.PAID: old}))
    asked = asyncio.ensure_future(gen_server.call_within(None, "desk", desk.put, old))
    await begun(asked)
    plan = await small.handler.plan("2")
    assert plan.blockers == ()
    assert {(one.place, one.outcome) for one in plan.live_values} == {("message", "migrated")}
    assert (await small.install("2")).outcome == "installed"
    new = status.Status
    assert new.OPEN is not old
    gate.set_result(None)
    await busy
    assert await asked == [new.OPEN]
    assert await told() == [[new.OPEN], ("paid", {new.PAID: new.OPEN}), new.OPEN]


async def test_a_rollback_converts_messages_back(small: SmallNode) -> None:
    status = await desk_with(small)
    assert (await small.install("2")).outcome == "installed"
    gate, busy = await hold_desk()
    send("desk", status.Status.PAID)
    assert (await small.roll_back()).outcome == "reverted"
    gate.set_result(None)
    await busy
    assert not hasattr(status.Status, "REFUNDED")
    assert await told() == [status.Status.PAID]


async def test_messages_of_pending_timers_are_converted_and_fire_at_their_time(small: SmallNode) -> None:
    status = await desk_with(small)
    pid = runtime().names["desk"].pid
    timers = send_after(3600, "desk", ["named", status.Status.OPEN]), send_after(3600, pid, ["pid", status.Status.OPEN])
    before = [timer.handle for timer in timers]
    plan = await small.handler.plan("2")
    assert {(one.place, one.outcome) for one in plan.live_values} == {("timer", "migrated")}
    assert (plan.blockers, (await small.install("2")).outcome) == ((), "installed")
    assert [timer.handle for timer in timers] == before
    assert [timer.message for timer in timers] == [["named", status.Status.OPEN], ["pid", status.Status.OPEN]]
    send_after(0, "desk", status.Status.OPEN)
    desk: Any = runtime().names["desk"]
    await eventually(desk.raw_state, what="a message of a timer")
    assert await told() == [status.Status.OPEN]


async def test_postponed_events_and_contents_of_timeouts_are_converted(small: SmallNode) -> None:
    status = await desk_with(small)
    machine = importlib.import_module("shop.desk").Machine
    pid = await gen_statem.start(machine, name="machine")
    gen_statem.cast(pid, status.Status.PAID)
    gen_statem.cast(pid, "wind")
    process: Any = runtime().processes[pid]
    await eventually(lambda: process.postponed and process.timers, what="the events")
    plan = await small.handler.plan("2")
    assert {(one.place, one.outcome) for one in plan.live_values} == {
        ("postponed event", "migrated"),
        ("timeout", "migrated"),
    }
    assert (plan.blockers, (await small.install("2")).outcome) == ((), "installed")
    assert process.timers["bell"][2].content is status.Status.OPEN
    assert process.timers["bell"][1] is not None
    gen_statem.cast(pid, "open")
    await eventually(lambda: process.raw_state()[1], what="the postponed event")
    assert process.raw_state() == ("opened", [status.Status.PAID])


async def test_data_that_a_message_would_lose_is_named(small: SmallNode) -> None:
    await desk_with(small, ORDERS_2, BOTH)
    order = importlib.import_module("shop.orders").Order
    gate, busy = await hold_desk()
    send("desk", {"orders": [order("tea", note="no sugar")]})
    plan = await small.handler.plan("2")
    assert plan.blockers == ()
    assert plan.lost == (
        "desk (at message['orders'][0]): release 2 has no shop.orders:Order.note, so this field is lost; it holds data "
        "in 1 of 1 objects.",
    )
    assert (await small.install("2")).outcome == "installed"
    gate.set_result(None)
    await busy
    (got,) = await told()
    assert got == {"orders": [importlib.import_module("shop.orders").Order("tea", pieces=1)]}


async def test_a_conversion_that_takes_long_by_the_clock_only_is_tried_to_its_end(small: SmallNode) -> None:
    await desk_with(small, ORDERS_SLOWLY, BOTH)
    gate, busy = await hold_desk()
    send("desk", importlib.import_module("shop.orders").Order("tea"))
    plan = await small.handler.plan("2")
    assert plan.rehearsal is not None
    assert (plan.rehearsal.not_searched, plan.blockers) == (0, ())
    assert [(one.place, one.outcome) for one in plan.live_values] == [("message", "migrated")]
    gate.set_result(None)
    await busy


async def test_a_message_that_cant_be_converted_is_a_blocker_that_passes_and_an_install_waits(small: SmallNode) -> None:
    await desk_with(small, ORDERS_3, BOTH)
    order = importlib.import_module("shop.orders").Order
    gate, busy = await hold_desk()
    gen_server.cast("desk", importlib.import_module("shop.desk").Desk.drop, order("tea"))
    plan = await small.handler.plan("2")
    (blocker,) = plan.blockers
    assert blocker.transient
    assert "a value of shop.orders:Order in a message in its mailbox" in blocker.reason
    assert blocker.reason.endswith("shop.orders:Order has a new field pieces without a default")
    assert blocker.remedy == f"give pieces a default, or {WAIT_REMEDY}"
    assert ((refused := await small.install("2")).outcome, refused.error) == ("aborted", blocker.reason)
    operation = small.handler.install(m.Install(vsn="2", wait=60.0), "ann")
    await eventually(lambda: small.handler.operation(operation).phase == "waiting", what="the wait")
    gate.set_result(None)
    await busy
    assert (await small.ended(operation)).outcome == "installed"


async def test_a_timer_whose_message_cant_be_converted_is_a_blocker_with_a_remedy(small: SmallNode) -> None:
    await desk_with(small, ORDERS_3, BOTH)
    send_after(3600, "desk", importlib.import_module("shop.orders").Order("tea"))
    (blocker,) = (await small.handler.plan("2")).blockers
    assert blocker.remedy == "give pieces a default, or wait until the timer fires"


STEPS = (
    ONLY_LIVE
    + """
import asyncio
from node_runtime import send
from shop import orders, status
def fail():
    if live():
        raise RuntimeError("on purpose")
async def tell():
    if live():
        send("desk", gate)
    await asyncio.sleep(0)
"""
)


async def test_an_install_that_fails_gives_each_process_its_very_messages_back(small: SmallNode) -> None:
    failing = LOAD_STATUS.replace(
        '{ load_module = "shop.status" }', '{ load_module = "shop.status" }, { apply = "shop.steps:fail" }'
    )
    status = await desk_with(small, appup=failing, more={"shop.steps": STEPS})
    importlib.import_module("shop.steps")
    gate, busy = await hold_desk()
    messages = [[status.Status.OPEN], ("paid", status.Status.PAID)]
    for message in messages:
        send("desk", message)
    timer = send_after(3600, "desk", messages)
    assert (await small.install("2")).outcome == "put back"
    process = runtime().names["desk"]
    assert process.mail is not None
    assert [item[1] for item in process.mail] == messages
    assert all(item[1] is message for item, message in zip(process.mail, messages, strict=True))
    assert timer.message is messages
    gate.set_result(None)
    await busy
    assert (await told())[0][0] is status.Status.OPEN


async def test_a_message_that_is_sent_while_the_script_waits_is_converted(small: SmallNode) -> None:
    telling = LOAD_STATUS.replace(
        '{ load_module = "shop.status" }', '{ load_module = "shop.status" }, { apply = "shop.steps:tell" }'
    )
    status = await desk_with(small, appup=telling, more={"shop.steps": STEPS})
    steps: Any = importlib.import_module("shop.steps")
    steps.gate = status.Status.OPEN
    gate, busy = await hold_desk()
    assert (await small.install("2")).outcome == "installed"
    gate.set_result(None)
    await busy
    assert await told() == [status.Status.OPEN]

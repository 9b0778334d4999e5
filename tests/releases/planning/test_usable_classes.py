"""A process can continue only in a version of its class that follows the same behaviour; a stopped one needs none."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest

from node_runtime import gen_server, supervisor, whereis
from node_runtime.behaviours.upgrade import live_processes
from tests.support.projects.small_shop import COUNTER, LOAD_COUNTER, UPDATE_COUNTER

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

TOP = """
from node_runtime import ChildSpec, Supervisor, gen_server, supervisor
from shop.counter import Counter

async def start_counter():
    return await gen_server.start_link(Counter, name="counter")

class Top(Supervisor):
    def children(self):
        return [ChildSpec("counter", start="shop.top:start_counter")]
"""
TOP_2 = (
    TOP.replace(")]\n", '), ChildSpec("extra", start="shop.top:start_extra", type="supervisor")]\n')
    + """
class Extra(Supervisor):
    def children(self):
        return [ChildSpec("helper", start="shop.counter:start_helper")]

async def start_extra():
    return await supervisor.start_link(Extra, name="extra")
"""
)
HELPER = (
    COUNTER.replace('"c1"', '"c2"')
    + """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        return dict(state)

class Helper(Counter):
    pass

async def start_helper():
    from node_runtime import gen_server
    return await gen_server.start_link(Helper, name="helper")
"""
)
APPUP = """
    [[up]]
    from = "1"
    instructions = [
      { update = "shop.counter", change = "advanced" },
      { update = "shop.top", type = "supervisor" },
      { apply = "node_runtime.supervisor:restart_child", args = ["top", "extra"] },
    ]
    [[down]]
    to = "1"
    instructions = [
      STOP
      { update = "shop.top", type = "supervisor" },
      { update = "shop.counter", change = "advanced" },
    ]
"""
STOP = """
      { apply = "node_runtime.supervisor:terminate_child", args = ["top", "extra"] },
      { apply = "node_runtime.supervisor:delete_child", args = ["top", "extra"] },
"""


async def upgrade(small: SmallNode, stop: str) -> None:
    small.write("1", {"shop.top": TOP, "shop.counter": COUNTER})
    small.write("2", {"shop.top": TOP_2, "shop.counter": HELPER}, APPUP.replace("      STOP\n", stop))
    small.boot()
    await supervisor.start_link(importlib.import_module("shop.top").Top, name="top")
    up = await small.install("2")
    assert (up.outcome, up.error) == ("installed", None)
    assert whereis("helper") is not None


async def test_a_script_that_first_stops_a_supervisor_may_go_to_a_release_without_its_class(small: SmallNode) -> None:
    await upgrade(small, STOP)
    assert (await small.handler.plan("1")).blockers == ()
    down = await small.roll_back()
    assert (down.outcome, down.error) == ("reverted", None)
    assert whereis("extra") is whereis("helper") is None
    assert [child.id for child in supervisor.which_children("top")] == ["counter"]
    assert live_processes.raw_state("counter") == {"count": 0}


async def test_a_script_that_does_not_stop_it_is_blocked(small: SmallNode) -> None:
    await upgrade(small, "")
    reasons = [blocker.reason for blocker in (await small.handler.plan("1")).blockers]
    assert "extra runs shop.top:Extra, which release 1 does not define" in reasons
    assert "helper runs shop.counter:Helper, which release 1 does not define" in reasons
    down = await small.roll_back()
    assert down.outcome == "aborted"
    assert "extra runs shop.top:Extra" in (down.error or "")


MACHINE = COUNTER.replace("GenServer", "GenStatem")
NO_BEHAVIOUR = COUNTER.replace("(GenServer[dict])", "")
ABSTRACT = (
    COUNTER.replace("class Counter(GenServer[dict])", "class Counter(GenServer[dict], metaclass=Meta)").replace(
        "__vsn__",
        "from abc import ABCMeta, abstractmethod\nclass Meta(type(GenServer), ABCMeta): pass\n__vsn__",
        1,
    )
    + "\n    @abstractmethod\n    def price(self): ...\n"
)


@pytest.mark.parametrize("appup", [LOAD_COUNTER, UPDATE_COUNTER], ids=["load_module", "update"])
@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (MACHINE, "which is a GenServer now, but a GenStatem in release 2"),
        (NO_BEHAVIOUR, "which is a GenServer now, but not a behaviour in release 2"),
        (ABSTRACT, "which is abstract in release 2"),
    ],
    ids=["machine", "none", "abstract"],
)
async def test_a_class_that_cannot_take_the_state_of_a_process_is_a_blocker(
    small: SmallNode, second: str, reason: str, appup: str
) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": second}, appup)
    small.boot()
    await gen_server.start(importlib.import_module("shop.counter").Counter, name="counter")
    assert [one.reason for one in (await small.handler.plan("2")).blockers] == [
        f"counter runs shop.counter:Counter, {reason}"
    ]
    installed = await small.install("2")
    assert (installed.outcome, installed.error) == ("aborted", f"counter runs shop.counter:Counter, {reason}")
    assert live_processes.raw_state("counter") == {"count": 0}

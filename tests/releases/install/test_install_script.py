"""Scripts that change more than modules: supervisors, children, applied functions, added and deleted modules."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import pytest

from node_runtime import application, call, gen_server, gen_statem, supervisor, whereis
from node_runtime.behaviours.upgrade import live_processes
from tests.support.projects.small_shop import COUNTER, COUNTER_2, FAILING, LAMP, LAMP_2, LIVE, ONLY_LIVE

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

TOP = """
from node_runtime import ChildSpec, Supervisor

class Top(Supervisor):
    def children(self):
        return [ChildSpec("one", start="shop.top:start_one", restart="permanent")]

async def start_one():
    from node_runtime import gen_server
    from shop.counter import Counter
    return await gen_server.start_link(Counter, name="one")
"""

TOP_2 = TOP.replace("]\n", ', ChildSpec("two", start="shop.extra:start_two")]\n', 1)

EXTRA = """
from node_runtime import GenServer, gen_server

class Two(GenServer[str]):
    def init(self):
        return "new"

    def value(self):
        return self.state

async def start_two():
    return await gen_server.start_link(Two, name="two")
"""

SWITCHES = (
    ONLY_LIVE
    + """
from node_runtime import application

def on(value):
    application.set_env("shop", "switch", value)

def off(value):
    application.set_env("shop", "switch", "off again")

def fail():
    if live():
        raise RuntimeError("no")
"""
)

GROW = """
    [[up]]
    from = "1"
    instructions = [
      { add_module = "shop.extra" },
      { update = "shop.top", type = "supervisor" },
      { apply = "node_runtime.supervisor:restart_child", args = ["top", "two"] },
      LAST
    ]
"""


async def start_top() -> None:
    await supervisor.start_link(importlib.import_module("shop.top").Top, name="top")


async def test_a_supervisor_gets_a_child_whose_module_is_new(small: SmallNode) -> None:
    small.write("1", {"shop.top": TOP, "shop.counter": COUNTER})
    small.write("2", {"shop.top": TOP_2, "shop.counter": COUNTER, "shop.extra": EXTRA}, GROW.replace("LAST", ""))
    handler = small.boot()
    await start_top()
    one = whereis("one")

    plan = await handler.plan("2")
    assert [(module.name, module.action) for module in plan.modules] == [("shop.extra", "add"), ("shop.top", "load")]
    assert not plan.way_back
    assert (plan.warnings, plan.irreversible) == ((), ())
    (child,) = plan.children
    assert (child.supervisor_name, child.id, child.change) == ("top", "two", "added")
    assert child.step is not None
    assert "restart_child" in plan.instructions[child.step - 1]
    operation = await small.install("2")

    assert (operation.outcome, operation.error) == ("installed", None)
    assert await call("two", sys.modules["shop.extra"].Two.value) == "new"
    assert whereis("one") == one
    assert [child.id for child in supervisor.which_children("top")] == ["one", "two"]
    (told,) = [result for result in operation.results if result.name == "top"]
    before, after = (dict(dict(term.items)["children"].items) for term in (told.before, told.after))
    assert (list(before), list(after)) == (["one"], ["one", "two"])
    assert f"{whereis('two')}, permanent, worker, shutdown 5 s, shop.extra:start_two" in after["two"].text


async def test_a_failure_after_a_child_was_started_leaves_the_supervisor_as_it_was(small: SmallNode) -> None:
    small.write("1", {"shop.top": TOP, "shop.counter": COUNTER, "shop.switches": SWITCHES})
    grow = GROW.replace("LAST", '{ apply = "shop.switches:fail" },')
    modules = {"shop.top": TOP_2, "shop.counter": COUNTER, "shop.switches": SWITCHES, "shop.extra": EXTRA}
    small.write("2", modules, grow)
    small.boot()
    await start_top()
    one, table = whereis("one"), live_processes.raw_state("top")

    operation = await small.install("2")

    assert operation.outcome == "put back"
    assert operation.error == "instruction 9, apply shop.switches:fail(): RuntimeError: no"
    assert live_processes.raw_state("top") is table
    assert whereis("one") == one
    assert whereis("two") is None
    assert "shop.extra" not in sys.modules
    assert [child.id for child in supervisor.which_children("top")] == ["one"]


async def test_undos_run_backwards_when_a_later_instruction_fails(small: SmallNode) -> None:
    script = """
        [[up]]
        from = "1"
        instructions = [
          { load_module = "shop.switches" },
          { apply = "shop.switches:on", args = [true], undo = "shop.switches:off" },
          { update = "shop.counter", change = "advanced" },
        ]
    """
    small.write("1", {"shop.counter": COUNTER, "shop.switches": SWITCHES})
    small.write("2", {"shop.counter": FAILING, "shop.switches": SWITCHES + "\nx = 1"}, script)
    small.boot()
    await gen_server.start(importlib.import_module("shop.counter").Counter, name="counter")
    live_processes.raw_state("counter")["count"] = 7

    assert (await small.install("2")).outcome == "put back"

    assert application.get_env("shop", "switch") is None
    live_processes.raw_state("counter")["count"] = 1
    assert (await small.install("2", again=True)).outcome == "installed"
    assert application.get_env("shop", "switch") is True


LOUD = """
import logging

class Switches:
    @staticmethod
    def off(which):
        logging.getLogger("switches").warning("off %s", which)

def on(which):
    logging.getLogger("switches").warning("on %s", which)
"""

LEAVING_SWITCHES = """
    [[up]]
    from = "1"
    instructions = [
      { load_module = "shop.counter" },
      { apply = "shop.switches:Switches.off", args = ["x"], undo = "shop.switches:on" },
      { REMOVAL_module = "shop.switches" },
      LAST
    ]
"""


@pytest.mark.parametrize(("removal", "left"), [("load", {"shop.switches": "x = 1"}), ("delete", {})])
async def test_a_function_and_its_undo_come_from_the_version_that_the_script_has_reached(
    small: SmallNode, caplog: pytest.LogCaptureFixture, removal: str, left: dict[str, str]
) -> None:
    def told() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == "switches"]

    script = LEAVING_SWITCHES.replace("REMOVAL", removal)
    small.write("1", {"shop.counter": COUNTER, "shop.switches": LOUD})
    small.write("2", {"shop.counter": COUNTER_2, **left}, script.replace("LAST", ""))
    last = '{ apply = "shop.counter:missing", args = [1] },'
    failing = LIVE + "\ndef missing(number):\n    if live():\n        raise ValueError(number)\n"
    small.write("3", {"shop.counter": failing, **left}, script.replace("LAST", last))
    handler = small.boot()
    importlib.import_module("shop.switches")

    assert (await handler.plan("2")).blockers == ()
    failed = await small.install("3")
    assert failed.outcome == "put back"
    assert str(failed.error).endswith(", apply shop.counter:missing(1): ValueError: 1")
    assert told() == ["off x", "on x"]
    assert (await small.install("2")).outcome == "installed"
    assert told()[2:] == ["off x"]


async def test_a_function_that_its_module_no_longer_has_at_that_step_is_found_by_the_plan(small: SmallNode) -> None:
    script = """
        [[up]]
        from = "1"
        instructions = [ { load_module = "shop.switches" }, { apply = "shop.switches:off", args = ["x"] } ]
    """
    small.write("1", {"shop.switches": SWITCHES})
    small.write("2", {"shop.switches": "x = 1"}, script)
    blockers = (await small.boot().plan("2")).blockers
    assert [blocker.reason for blocker in blockers] == ["shop.switches:off does not exist, but the script applies it"]


async def test_a_failure_before_the_point_of_no_return_aborts(small: SmallNode) -> None:
    script = """
        [[up]]
        from = "1"
        instructions = [
          { apply = "shop.switches:fail" },
          { point_of_no_return = true },
          { load_module = "shop.counter" },
        ]
    """
    small.write("1", {"shop.counter": COUNTER, "shop.switches": SWITCHES})
    small.write("2", {"shop.counter": COUNTER_2, "shop.switches": SWITCHES}, script)
    small.boot()
    operation = await small.install("2")
    assert (operation.outcome, operation.error) == (
        "aborted",
        "instruction 2, apply shop.switches:fail(): RuntimeError: no",
    )


async def test_a_function_that_does_not_exist_is_found_by_the_plan(small: SmallNode) -> None:
    script = """
        [[up]]
        from = "1"
        instructions = [ { apply = "shop.counter:missing" }, { load_module = "shop.counter" } ]
    """
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, script)
    blockers = (await small.boot().plan("2")).blockers
    assert [blocker.reason for blocker in blockers] == [
        "shop.counter:missing does not exist, but the script applies it"
    ]


async def test_a_deleted_module_is_gone_and_comes_back(small: SmallNode) -> None:
    script = """
        [[up]]
        from = "1"
        instructions = [ { delete_module = "shop.extra" } ]
        [[down]]
        to = "1"
        instructions = [ { add_module = "shop.extra" } ]
    """
    small.write("1", {"shop.counter": COUNTER, "shop.extra": EXTRA})
    small.write("2", {"shop.counter": COUNTER}, script)
    small.boot()
    importlib.import_module("shop.extra")
    assert (await small.install("2")).outcome == "installed"
    assert "shop.extra" not in sys.modules
    assert (await small.roll_back()).outcome == "reverted"
    assert importlib.import_module("shop.extra").Two


async def test_a_state_machine_may_be_migrated_out_of_a_state_but_not_into_nowhere(small: SmallNode) -> None:
    mapping = """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        return extra, state[1]
    """
    script = """
        [[up]]
        from = "1"
        instructions = [ { update = "shop.lamp", change = "advanced", extra = "COLOUR" } ]
    """
    small.write("1", {"shop.lamp": LAMP})
    small.write("2", {"shop.lamp": LAMP_2 + mapping}, script.replace("COLOUR", "red"))
    small.write("3", {"shop.lamp": LAMP_2 + mapping + "\n"}, script.replace("COLOUR", "lime"))
    handler = small.boot()
    await gen_statem.start(importlib.import_module("shop.lamp").Lamp, "lime", name="lamp")

    failed = await small.install("3")
    assert failed.outcome == "aborted"
    assert failed.error is not None
    assert failed.error.endswith(
        "lamp (shop.lamp): its code_change returned the state lime, which release 3 does not define"
    )
    assert live_processes.raw_state("lamp") == ("lime", None)

    assert (await handler.plan("2")).blockers == ()
    assert (await small.install("2")).outcome == "installed"
    assert live_processes.raw_state("lamp") == ("red", None)

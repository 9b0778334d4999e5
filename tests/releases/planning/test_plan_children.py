"""Children that a new specification adds or removes are in the plan, with the step that handles them."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from node_runtime import ChildSpec, supervisor
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import Refused
from tests.support.projects.small_shop import COUNTER

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

TOP = """
from node_runtime import ChildSpec, Supervisor, gen_server
from shop.counter import Counter

async def start_one(name):
    return await gen_server.start_link(Counter, name=name)

class Top(Supervisor):
    strategy, intensity, period = "one_for_one", 1, 5.0

    def children(self):
        return [ChildSpec("one", start="shop.top:start_one", args=("one",)),
                ChildSpec("two", start="shop.top:start_one", args=("two",))]
"""
TOP_2 = TOP.replace('ChildSpec("two"', 'ChildSpec("three"').replace('("two",)', '("three",)')
SCRIPT = """
    [[up]]
    from = "1"
    instructions = [ { update = "shop.top", type = "supervisor" }, STEPS ]
"""
STOP = '{ apply = "node_runtime.supervisor:terminate_child", args = ["top", "two"] },'
START = '{ apply = "node_runtime.supervisor:restart_child", args = ["top", "three"] },'


async def plan_with(
    small: SmallNode, steps: str, second: str = TOP_2, *, script: str = SCRIPT, name: str | None = "top"
) -> m.Plan:
    small.write("1", {"shop.top": TOP, "shop.counter": COUNTER, "shop.more": "def f(): ...\n"})
    modules = {"shop.top": second, "shop.counter": COUNTER, "shop.more": "def f(): ...\n"}
    small.write("2", modules, script.replace("STEPS", steps))
    small.boot()
    await supervisor.start_link(importlib.import_module("shop.top").Top, name=name)
    importlib.import_module("shop.more")
    return await small.handler.plan("2")


async def test_added_and_removed_children_are_in_the_plan_with_their_steps(small: SmallNode) -> None:
    two = None
    plan = await plan_with(small, STOP + START)
    two = next(child.pid for child in supervisor.which_children("top") if child.id == "two")
    assert plan.blockers == ()
    found = {child.id: (child.change, child.step) for child in plan.children}
    stop = next(n for n, text in enumerate(plan.instructions, 1) if "terminate_child" in text)
    start = next(n for n, text in enumerate(plan.instructions, 1) if "restart_child" in text)
    assert found == {"three": ("added", start), "two": ("removed", stop)}
    assert [(one.pid, one.step) for one in plan.processes if one.action == "stop"] == [(two, stop)]
    assert plan.irreversible == ()


async def test_children_that_no_instruction_handles_are_blockers(small: SmallNode) -> None:
    plan = await plan_with(small, "")
    reasons = {blocker.reason: blocker.remedy for blocker in plan.blockers}
    assert reasons == {
        (
            "the new specification of top adds the child three, "
            "but no instruction starts it after the code_change of top"
        ): (
            'add { apply = "node_runtime.supervisor:restart_child", args = ["top", "three"] } to the appup, '
            "after the update"
        ),
        "the new specification of top removes the child two, but no instruction stops it": (
            'add { apply = "node_runtime.supervisor:terminate_child", args = ["top", "two"] } to the appup'
        ),
    }


ADDED = "the new specification of top adds the child three, but "
REMOVED = "the new specification of top removes the child two, but "


@pytest.mark.parametrize("instruction", ["", "load_module", "update"])
async def test_an_install_without_a_plan_is_aborted_for_such_children_too(small: SmallNode, instruction: str) -> None:
    with_code_change = '{ update = "shop.top", type = "supervisor" }'
    script = SCRIPT.replace(with_code_change, f'{{ {instruction} = "shop.top" }}') if instruction else SCRIPT
    await plan_with(small, "", script=script)
    aborted = await small.install("2")
    assert aborted.outcome == "aborted"
    assert aborted.error is not None
    assert ADDED in aborted.error
    assert REMOVED in aborted.error
    assert small.handler.vsn == "1"
    assert [child.id for child in supervisor.which_children("top")] == ["one", "two"]


async def test_a_rollback_is_aborted_for_such_children_too(small: SmallNode) -> None:
    down = """
    [[down]]
    to = "1"
    instructions = [ { update = "shop.top", type = "supervisor" } ]
    """
    await plan_with(small, STOP + START, script=SCRIPT + down)
    assert (await small.install("2")).outcome == "installed"
    reverted = await small.roll_back()
    assert reverted.outcome == "aborted"
    assert "removes the child three, but no instruction stops it" in (reverted.error or "")
    assert small.handler.vsn == "2"


async def test_children_that_an_applied_function_may_handle_are_a_warning(small: SmallNode) -> None:
    plan = await plan_with(small, '{ apply = "shop.more:f" },')
    assert plan.blockers == ()
    unless = [text for text in plan.warnings if text.endswith("unless shop.more:f does that.")]
    assert [text.partition(" of ")[0] for text in unless] == ["The new specification"] * 2
    assert plan.irreversible == ("shop.more:f is applied without an undo, so a failed install can't undo its effects.",)


@pytest.mark.parametrize("steps", ["", '{ restart_child = "two", supervisor = "top" },', STOP])
async def test_a_child_that_keeps_its_old_arguments_is_named_unless_the_script_restarts_it(
    small: SmallNode, steps: str
) -> None:
    plan = await plan_with(small, steps, TOP.replace('("two",)', '("second",)'))
    said = [text for text in plan.warnings if text.startswith("The specification of the child two of top changes.")]
    assert bool(said) is not bool(steps)
    assert all('{ restart_child = "two", supervisor = "top" } in the appup' in text for text in said)


async def test_a_children_function_that_raises_is_found(small: SmallNode) -> None:
    plan = await plan_with(small, "", TOP.replace("return [", "return 1 / 0 or ["))
    assert [blocker.reason.partition(" (/")[0] for blocker in plan.blockers] == [
        "top (shop.top): its children() raised ZeroDivisionError: division by zero"
    ]
    assert [child.id for child in supervisor.which_children("top")] == ["one", "two"]


async def test_a_child_can_be_started_only_after_its_specification_has_been_read(small: SmallNode) -> None:
    script = SCRIPT.replace("[ {", "[ START {").replace("START", START)
    plan = await plan_with(small, STOP, script=script)
    (blocker,) = plan.blockers
    assert blocker.reason.startswith(
        "the new specification of top adds the child three, but no instruction starts it after"
    )
    assert blocker.remedy.endswith("to the appup, after the update")


@pytest.mark.parametrize("instruction", ["load_module", "update"])
async def test_a_specification_that_is_loaded_but_not_read_is_a_blocker(small: SmallNode, instruction: str) -> None:
    script = SCRIPT.replace('{ update = "shop.top", type = "supervisor" }', f'{{ {instruction} = "shop.top" }}')
    plan = await plan_with(small, "", script=script)
    assert {(child.id, child.change, child.unread) for child in plan.children} == {
        ("three", "added", True),
        ("two", "removed", True),
    }
    assert {blocker.remedy for blocker in plan.blockers} == {
        'add { update = "shop.top", type = "supervisor" } to the appup'
    }
    assert [child.id for child in supervisor.which_children("top")] == ["one", "two"]


async def test_a_supervisor_without_a_name_cannot_be_named_in_an_instruction(small: SmallNode) -> None:
    plan = await plan_with(small, "", name=None)
    assert {blocker.remedy for blocker in plan.blockers} == {
        f"in the appup, apply a function of the release that {done} the child; "
        f"or register a name for the supervisor, so that the appup can apply "
        f"node_runtime.supervisor:{function} to it"
        for done, function in (("starts", "restart_child"), ("stops", "terminate_child"))
    }


async def test_the_start_function_of_a_new_child_must_exist(small: SmallNode) -> None:
    second = TOP_2.replace('"three", start="shop.top:start_one"', '"three", start="shop.top:start_noone"')
    plan = await plan_with(small, STOP + START, second)
    assert [blocker.reason for blocker in plan.blockers] == [
        "top (shop.top): its children() starts three with shop.top:start_noone, which is not a function"
    ]


async def test_a_child_stopped_by_the_script_has_no_code_change(small: SmallNode) -> None:
    second = (
        COUNTER + "\n    @classmethod\n    def code_change(cls, old_vsn, state, extra):\n        raise ValueError\n"
    )
    script = """
        [[up]]
        from = "1"
        instructions = [
          { apply = "node_runtime.supervisor:terminate_child", args = ["top", "one"] },
          { apply = "node_runtime.supervisor:terminate_child", args = ["top", "two"] },
          { update = "shop.counter", change = "advanced" },
        ]
    """
    small.write("1", {"shop.top": TOP, "shop.counter": COUNTER})
    small.write("2", {"shop.top": TOP, "shop.counter": second}, script)
    small.boot()
    await supervisor.start_link(importlib.import_module("shop.top").Top, name="top")
    plan = await small.handler.plan("2")
    assert plan.blockers == ()
    assert [(one.name, one.action) for one in plan.processes] == [("one", "stop"), ("two", "stop")]
    assert (await small.install("2")).outcome == "installed"


async def test_a_deleted_module_whose_processes_the_script_ends_before_is_no_hazard(small: SmallNode) -> None:
    """The warning names only processes that are left when the module is deleted."""
    top, without = TOP, "from node_runtime import Supervisor\n\nclass Top(Supervisor): ...\n"
    script = """
        [[up]]
        from = "1"
        instructions = [
          { apply = "node_runtime.supervisor:terminate_child", args = ["top", "one"] },
          { delete_module = "shop.counter" },
          { apply = "node_runtime.supervisor:terminate_child", args = ["top", "two"] },
          { update = "shop.top", type = "supervisor" },
        ]
    """
    small.write("1", {"shop.top": top, "shop.counter": COUNTER})
    small.write("2", {"shop.top": without}, script)
    small.boot()
    await supervisor.start_link(importlib.import_module("shop.top").Top, name="top")
    hazards = [text for text in (await small.handler.plan("2")).warnings if "which the script deletes" in text]
    assert hazards == ["two runs shop.counter, which the script deletes; let the appup stop two before the deletion."]


async def test_a_change_of_child_specifications_makes_a_plan_stale_but_a_start_does_not(small: SmallNode) -> None:
    plan = await plan_with(small, STOP + START)
    spec = ChildSpec("four", start="shop.top:start_one", args=("four",), restart="temporary")
    await supervisor.start_child("top", spec)
    await supervisor.terminate_child("top", "four")
    await supervisor.terminate_child("top", "one")
    await supervisor.restart_child("top", "one")
    assert (await small.handler.plan("2")).id == plan.id
    await supervisor.start_child("top", replace(spec, restart="transient"))
    added = await small.handler.plan("2")
    await supervisor.terminate_child("top", "four")
    await supervisor.delete_child("top", "four")
    deleted = await small.handler.plan("2")
    assert len({plan.id, added.id, deleted.id}) == 3
    assert plan.generation < added.generation < deleted.generation
    with pytest.raises(Refused, match="The plan is stale"):
        small.handler.install(m.Install(vsn="2", plan_id=added.id), "ann")

"""A plan names the objects that a state shares with tasks, threads or modules, if the new state has others."""

from __future__ import annotations

import asyncio
import importlib
import threading
from typing import TYPE_CHECKING, Any

from node_runtime import gen_server, send, sys
from tests.support.waiting import begun

if TYPE_CHECKING:
    from node_runtime.protocol import messages as m
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

BOX = """
import dataclasses
from node_runtime import GenServer
@dataclasses.dataclass
class State:
    jobs: list
    limit: int = {limit}
class Box(GenServer[State]):
    def init(self, jobs):
        return jobs if isinstance(jobs, State) else State(jobs)
"""
REBUILT = """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        return State(list(state.jobs))
"""
KEPT = REBUILT.replace("list(state.jobs)", "state.jobs")
WORK = """
import asyncio
ALL = []
async def run(jobs):
    await asyncio.Event().wait()
def wait(jobs, gate):
    gate.wait()
"""
APPUP = """
    [[up]]
    from = "1"
    instructions = [ { update = "shop.box", change = "advanced" } ]
    [[down]]
    to = "1"
    instructions = [ { update = "shop.box", change = "advanced" } ]
"""


def boot(small: SmallNode, change: str) -> None:
    """Boot release 1. Release 2 has another class for the state, and this code_change."""
    small.write("1", {"shop.box": BOX.format(limit=1), "shop.work": WORK})
    small.write("2", {"shop.box": BOX.format(limit=2) + change, "shop.work": WORK}, APPUP)
    small.boot()


async def plan_for(small: SmallNode, jobs: list[Any]) -> m.Plan:
    """Start a box with the only item of `jobs`; return the plan for release 2.

    The item is taken out, because a plan may also name the task of the test, if a variable of it refers to the item.
    """
    await gen_server.start(importlib.import_module("shop.box").Box, jobs.pop(), name="box")
    return await small.handler.plan("2")


def about_sharing(plan: m.Plan) -> list[str]:
    return [one for one in plan.warnings if " hold the same " in one]


async def test_a_list_that_a_task_shares_and_a_code_change_copies_is_named(small: SmallNode) -> None:
    boot(small, REBUILT)
    jobs = [["a"]]
    task = asyncio.create_task(importlib.import_module("shop.work").run(jobs[0]), name="worker")
    await begun(task)
    (warning,) = about_sharing(await plan_for(small, jobs))
    assert warning == (
        "box <1> and the task worker (shop.work.run) hold the same list at .jobs of the state. The new state has "
        "another list, so a change of one of the two objects no longer reaches both holders. Let the code_change of "
        "shop.box keep the same object, or end the other holder: `hotdash kill NODE worker` cancels it."
    )
    task.cancel()


async def test_a_list_that_a_code_change_keeps_is_not_mentioned(small: SmallNode) -> None:
    boot(small, KEPT)
    jobs = [["a"]]
    task = asyncio.create_task(importlib.import_module("shop.work").run({"deep": [jobs[0]]}))
    await begun(task)
    assert about_sharing(await plan_for(small, jobs)) == []
    task.cancel()


async def test_the_holders_that_are_threads_and_modules_are_named(small: SmallNode) -> None:
    boot(small, REBUILT.replace("list(state.jobs)", "dict(state.jobs)"))
    work, gate, jobs = importlib.import_module("shop.work"), threading.Event(), [{"a": 1}]
    work.ALL.append(jobs[0])
    thread = threading.Thread(target=work.wait, args=([*jobs], gate), name="worker")
    thread.start()
    try:
        (warning,) = about_sharing(await plan_for(small, jobs))
        assert "box <1> and the thread worker hold the same dict at .jobs of the state" in warning
    finally:
        gate.set()
        thread.join()
    (warning,) = about_sharing(await small.handler.plan("2"))
    assert "box <1> and the module shop.work hold the same dict at .jobs of the state" in warning


async def test_a_state_that_a_task_was_given_is_named(small: SmallNode) -> None:
    boot(small, REBUILT)
    states = [importlib.import_module("shop.box").State(["a"])]
    task = asyncio.create_task(importlib.import_module("shop.work").run(states[0]), name="worker")
    await begun(task)
    (warning,) = about_sharing(await plan_for(small, states))
    assert "box <1> and the task worker (shop.work.run) hold the same shop.box.State of the state" in warning
    task.cancel()


async def test_a_plan_is_silent_about_states_of_which_nothing_is_shared(small: SmallNode) -> None:
    own = BOX.replace("else State(jobs)", "else State(list(jobs))")
    small.write("1", {"shop.box": own.format(limit=1), "shop.work": WORK})
    small.write("2", {"shop.box": own.format(limit=2) + REBUILT, "shop.work": WORK}, APPUP)
    small.boot()
    pile = [[number] for number in range(2_000)]
    task = asyncio.create_task(importlib.import_module("shop.work").run(pile))
    await begun(task)
    await gen_server.start(importlib.import_module("shop.box").Box, ["own"], name="box")
    assert [one for one in (await small.handler.plan("2")).warnings if "share" in one] == []
    task.cancel()


async def test_a_process_that_keeps_its_state_is_named_as_the_other_holder(small: SmallNode) -> None:
    shelf = BOX.format(limit=1).replace("Box", "Shelf")
    small.write("1", {"shop.box": BOX.format(limit=1), "shop.shelf": shelf})
    small.write("2", {"shop.box": BOX.format(limit=2) + REBUILT, "shop.shelf": shelf}, APPUP)
    small.boot()
    jobs = [["a"]]
    await gen_server.start(importlib.import_module("shop.shelf").Shelf, jobs[0], name="shelf")
    (warning,) = about_sharing(await plan_for(small, jobs))
    assert "box <2> and shelf <1> hold the same list at .jobs of the state" in warning


async def test_a_list_in_a_state_and_in_a_waiting_message_is_not_taken_for_a_shared_one(small: SmallNode) -> None:
    boot(small, REBUILT)
    box = await gen_server.start(importlib.import_module("shop.box").Box, ["a"], name="box")
    await sys.suspend(box)
    send(box, (await sys.get_state(box)).jobs)
    assert [one for one in (await small.handler.plan("2")).warnings if "share" in one] == []
    sys.resume(box)


async def test_a_module_that_knows_an_object_of_the_state_by_its_id_is_named(small: SmallNode) -> None:
    boot(small, "")
    box, work = (importlib.import_module(f"shop.{name}") for name in ("box", "work"))
    state = box.State([])
    names = {id(state): "first", 1 << 50: "not an id"}
    work.ALL.append(names)
    warnings = (await plan_for(small, [state])).warnings
    assert [one for one in warnings if "id()" in one] == [
        "shop.work.ALL has the id() of the shop.box.State of the state of box <1> as a key. The new state has another "
        "object, with another id(), so shop.work.ALL no longer finds it. Use the object itself, or a number of your "
        "own, as the key, or let the code_change of shop.box keep the same object."
    ]

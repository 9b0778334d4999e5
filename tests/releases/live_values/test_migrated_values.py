"""Values that a code_change converts, and those that it leaves."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from node_runtime import gen_server
from node_runtime.behaviours.upgrade import live_processes
from node_runtime.protocol.messages import Commit
from tests.releases.live_values.test_values_in_plans import BOX, LOAD_STATUS, STATUS, STATUS_2, UPDATE_BOX

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

STATE = "{'orders': [status.Status.OPEN], 'last': status.Status.PAID}"
CHANGE = """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        return {converted}
"""
ALL = "{'orders': [status.Status[one.name] for one in state['orders']], 'last': status.Status[state['last'].name]}"


async def start(small: SmallNode, converted: str, number: int = 1) -> None:
    """Start boxes whose code_change in release 2 returns `converted`."""
    box = BOX.format(imports="from shop import status", state=STATE)
    small.write("1", {"shop.status": STATUS, "shop.box": box})
    small.write("2", {"shop.status": STATUS_2, "shop.box": box + CHANGE.format(converted=converted)}, UPDATE_BOX)
    small.boot()
    for each in range(number):
        await gen_server.start(importlib.import_module("shop.box").Box, name=f"box{each}")


async def test_values_that_code_change_converts_are_migrated(small: SmallNode) -> None:
    await start(small, ALL)
    plan = await small.handler.plan("2")
    assert plan.blockers == ()
    (value,) = plan.live_values
    assert (value.outcome, value.code, value.added) == ("migrated", "shop.status:Status", ("REFUNDED",))
    assert (await small.install("2")).outcome == "installed"
    status = importlib.import_module("shop.status").Status
    assert live_processes.raw_state("box0") == {"orders": [status.OPEN], "last": status.PAID}


async def test_a_value_that_code_change_leaves_is_a_blocker_that_names_its_place(small: SmallNode) -> None:
    await start(small, "dict(state, last=status.Status[state['last'].name])", number=5)
    plan = await small.handler.plan("2")
    (blocker,) = plan.blockers
    assert blocker.reason == (
        "the code_change of box0, box1, box2 and 2 more leaves a value of shop.status:Status in the state at "
        "['orders'][0], and release 2 replaces that class, which adds REFUNDED"
    )
    assert blocker.remedy == "let the code_change of shop.box convert this value, too"
    (value,) = plan.live_values
    assert (value.outcome, value.path, value.processes) == ("blocked", "['orders'][0]", 5)


async def test_a_value_that_the_default_migration_leaves_is_a_blocker_that_asks_for_a_code_change(
    small: SmallNode,
) -> None:
    box = BOX.format(imports="import json\nfrom shop import status", state="json.JSONEncoder(default=status.Status)")
    small.write("1", {"shop.status": STATUS, "shop.box": box})
    small.write("2", {"shop.status": STATUS_2, "shop.box": box}, UPDATE_BOX)
    small.boot()
    await gen_server.start(importlib.import_module("shop.box").Box, name="box")
    (blocker,) = (await small.handler.plan("2")).blockers
    assert blocker.reason.startswith("the default migration of box leaves the class shop.status:Status in the state")
    assert blocker.remedy == "write a code_change of Box that converts this value"


async def test_the_remedy_works_for_a_process_whose_own_module_has_not_changed(small: SmallNode) -> None:
    box = BOX.format(imports="from shop import status", state="{'orders': [status.Status.OPEN, status.call]}")
    calls = "def call():\n    return {number}\n"
    small.write("1", {"shop.status": STATUS + calls.format(number=1), "shop.box": box})
    small.write("2", {"shop.status": STATUS_2 + calls.format(number=2), "shop.box": box}, UPDATE_BOX)
    small.boot()
    await gen_server.start(importlib.import_module("shop.box").Box, name="box")
    old = live_processes.raw_state("box")
    plan = await small.handler.plan("2")
    assert plan.blockers == ()
    assert {(one.code, one.outcome) for one in plan.live_values} == {
        ("shop.status:Status", "migrated"), ("shop.status:call", "migrated"),
    }  # fmt: skip
    assert (await small.install("2")).outcome == "installed"
    status = importlib.import_module("shop.status")
    member, call = live_processes.raw_state("box")["orders"]
    assert (member, call()) == (status.Status.OPEN, 2)
    assert old["orders"][0] is not member
    assert (await small.roll_back()).outcome == "reverted"
    status = importlib.import_module("shop.status")
    member, call = live_processes.raw_state("box")["orders"]
    assert (member, call()) == (status.Status.OPEN, 1)


async def test_what_the_default_migration_can_not_convert_is_said_with_the_remedy(small: SmallNode) -> None:
    point = "import dataclasses\n@dataclasses.dataclass\nclass Point:\n    x: int\n"
    box = BOX.format(imports="from shop import status", state="[status.Point(1)]")
    small.write("1", {"shop.status": point, "shop.box": box})
    small.write("2", {"shop.status": point + "    y: int\n", "shop.box": box}, LOAD_STATUS)
    small.boot()
    await gen_server.start(importlib.import_module("shop.box").Box, name="box")
    (blocker,) = (await small.handler.plan("2")).blockers
    assert "which adds y" in blocker.reason
    assert blocker.remedy.startswith("add to the appup of release 2 { update =")
    assert "then code_change converts the value. For this, also " in blocker.remedy
    assert "Point" in blocker.remedy.partition("For this")[2]


NOTES = """
    from pydantic import BaseModel

    class Note(BaseModel):
        text: str
"""
NOTEBOOK = """
    from dataclasses import dataclass, field
    from shop.notes import Note
    from node_runtime import GenServer

    @dataclass(slots=True)
    class State:
        notes: list[Note] = field(default_factory=list)

    class Notebook(GenServer[State]):
        def init(self):
            return State([Note(text="one")])
"""
UPDATE_NOTEBOOK = """
    [[up]]
    from = "1"
    instructions = [{ load_module = "shop.notes" }, { update = "shop.notebook", change = "advanced" }]
    [[down]]
    to = "1"
    instructions = [{ load_module = "shop.notes" }, { update = "shop.notebook", change = "advanced" }]
"""


async def test_a_field_fits_in_an_old_version_that_becomes_current_again_beside_a_module_that_is_executed_anew(
    small: SmallNode,
) -> None:
    small.write("1", {"shop.notes": NOTES, "shop.notebook": NOTEBOOK})
    changed = NOTEBOOK.replace("    class Notebook", '        topic: str = ""\n\n    class Notebook')
    small.write("2", {"shop.notes": NOTES + "        at: int = 0\n", "shop.notebook": changed}, UPDATE_NOTEBOOK)
    handler = small.boot()
    await gen_server.start(importlib.import_module("shop.notebook").Notebook, name="notebook")
    assert (await small.install("2")).outcome == "installed"
    await handler.commit(Commit(), "ann")
    operation = await small.install("1")
    assert operation.outcome == "installed", operation.error
    (note,) = live_processes.raw_state("notebook").notes
    assert (type(note), note.text) == (importlib.import_module("shop.notes").Note, "one")

"""A plan says that restarts before the upgrade count against a lowered intensity."""

from __future__ import annotations

import importlib
from functools import partial
from typing import TYPE_CHECKING

import pytest

from node_runtime import exit as send_exit
from node_runtime import supervisor, whereis
from tests.support.projects.small_shop import COUNTER
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from node_runtime import Pid
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

TOP = """
from node_runtime import ChildSpec, Supervisor, gen_server
from shop.counter import Counter

async def start_one():
    return await gen_server.start_link(Counter, name="one")

class Top(Supervisor):
    strategy, intensity, period = "one_for_one", 9, 60.0

    def children(self):
        return [ChildSpec("one", start="shop.top:start_one")]
"""
SCRIPT = """
    [[up]]
    from = "1"
    instructions = [ { update = "shop.top", type = "supervisor" } ]
"""


def is_another(before: Pid) -> bool:
    return whereis("one") not in (None, before)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ("3, 60.0", "to 3 in 60 s. Its 2 restarts of the last 60 s count against the new limit: 1 more may follow"),
        ("1, 90.0", "to 1 in 90 s. Its 2 restarts of the last 90 s count against the new limit: no more may follow"),
        ("10, 60.0", None),
    ],
)
async def test_the_restarts_that_count_are_in_the_plan(small: SmallNode, limits: str, said: str | None) -> None:
    for vsn, top in ("1", TOP), ("2", TOP.replace("9, 60.0", limits)):
        small.write(vsn, {"shop.top": top, "shop.counter": COUNTER}, SCRIPT if vsn == "2" else "")
    small.boot()
    await supervisor.start_link(importlib.import_module("shop.top").Top, name="top")
    for _ in range(2):
        running = whereis("one")
        assert running is not None
        send_exit(running, "kill")
        await eventually(partial(is_another, running))
    plan = await small.handler.plan("2")
    assert plan.blockers == ()
    found = [warning for warning in plan.warnings if "intensity" in warning]
    assert [said in warning for warning in found if said] == [True] * (said is not None)
    assert len(found) == (said is not None)

"""The way back is rehearsed as strictly as the way up, before the way up is taken."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING

import pytest

from node_runtime import gen_server, gen_statem
from node_runtime.behaviours.upgrade import live_processes
from node_runtime.protocol import messages as m
from tests.support.projects.small_shop import LAMP, UPDATE_COUNTER

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

COUNTER = """
from dataclasses import dataclass, replace
from node_runtime import Down, GenServer

@dataclass(slots=True)
class State:
    count: int = 0

class Counter(GenServer[State]):
    def init(self):
        return State(4)
"""
NEWER = """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        if isinstance(old_vsn, Down):
            DOWN
        return State(state.count, 100)
"""
GROWN = COUNTER.replace("count: int = 0", "count: int = 0\n    total: int = 0")
REASONS = {
    "return state": "returned a State; Counter declares its state as State of release 1",
    "return {'count': state.count}": "returned a dict; Counter declares its state as State",
    "raise KeyError(state.count)": "raised KeyError: 4",
    "state.total = 0; return old_vsn.target.State(state.count)": "mutates the state that it is given",
}


async def start_counter(small: SmallNode, down: str, appup: str = UPDATE_COUNTER) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": GROWN + NEWER.replace("DOWN", down)}, appup, probation="deadline = 600")
    small.boot()
    await gen_server.start(importlib.import_module("shop.counter").Counter, name="counter")


async def test_a_downgrade_can_make_a_state_of_the_older_class(small: SmallNode) -> None:
    await start_counter(small, "return old_vsn.target.State(state.count)")
    plan = await small.handler.plan("2")
    assert (plan.way_back, plan.warnings, plan.blockers) == (True, (), ())
    assert plan.rehearsal is not None
    assert [one.given_back for one in plan.rehearsal.results] == [True]

    assert (await small.install("2")).outcome == "installed"
    assert live_processes.raw_state("counter").total == 100
    assert small.handler.releases()[1].no_way_back is None
    assert (await small.roll_back()).outcome == "reverted"
    state = live_processes.raw_state("counter")
    assert type(state) is importlib.import_module("shop.counter").State
    assert (state.count, hasattr(state, "total")) == (4, False)
    assert (await small.install("2", again=True)).outcome == "installed"


CACHED = """
import functools
from node_runtime import GenServer, gen_server
async def start_link(): return await gen_server.start_link(Counter, name="counter")
class Basket:
    def __init__(self): self.prices = [{n}]
    @functools.cached_property
    def total(self): return sum(self.prices)
class Counter(GenServer[Basket]):
    def init(self):
        basket = Basket()
        assert basket.total == {n}
        return basket
"""


async def test_a_cached_property_is_computed_again_and_counts_as_no_difference(small: SmallNode) -> None:
    small.write("1", {"shop.counter": CACHED.format(n=1)})
    small.write("2", {"shop.counter": CACHED.format(n=2)}, UPDATE_COUNTER)
    small.boot()
    await importlib.import_module("shop.counter").start_link()
    plan = await small.handler.plan("2")
    assert plan.warnings == ()
    assert plan.rehearsal is not None
    assert [one.given_back for one in plan.rehearsal.results] == [True]
    assert (await small.install("2")).outcome == "installed"
    basket = live_processes.raw_state("counter")
    assert (dict(vars(basket)), basket.total) == ({"prices": [1]}, 1)


@pytest.mark.parametrize("down", REASONS)
async def test_a_downgrade_that_would_be_refused_is_no_way_back_and_the_probation_says_so_at_once(
    small: SmallNode, down: str, caplog: pytest.LogCaptureFixture
) -> None:
    await start_counter(small, down)
    plan = await small.handler.plan("2")
    assert not plan.way_back
    assert plan.blockers == ()
    assert plan.warnings[0].startswith(f"counter (shop.counter): the downgrade {REASONS[down]}")
    assert plan.warnings[1].startswith("The way back fails for 1 process: only a restart of the node leads back. ")

    with caplog.at_level(logging.WARNING):
        installed = await small.install("2")
    assert installed.outcome == "installed"
    sentence = (
        "Release 2 has no way back: in the rehearsal, the way back failed for 1 process. Unless it is committed, the "
        "node restarts into release 1, and all states are lost."
    )
    assert sentence in caplog.messages
    (release,) = [one for one in small.handler.releases() if one.vsn == "2"]
    assert release.no_way_back == sentence
    await small.handler.commit(m.Commit(), "ann")
    assert all(one.no_way_back is None for one in small.handler.releases())


async def test_a_downgrade_without_a_code_change_is_checked_too(small: SmallNode) -> None:
    loading = 'instructions = [ { load_module = "shop.counter" } ]'
    appup = UPDATE_COUNTER.rpartition("instructions")[0] + loading
    await start_counter(small, "pass", appup)
    plan = await small.handler.plan("2")
    assert not plan.way_back
    assert plan.warnings[0].startswith(
        "counter (shop.counter): the downgrade, which has no code_change for this module, returned a State; "
    )


async def test_the_state_that_a_downgrade_names_must_be_defined_there(small: SmallNode) -> None:
    mapping = """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        return {"green": "lime", "lime": "lime", "red": "red"}[state[0]], state[1]
"""
    small.write("1", {"shop.lamp": LAMP.replace("lime", "red")})
    small.write("2", {"shop.lamp": LAMP + mapping}, UPDATE_COUNTER.replace("shop.counter", "shop.lamp"))
    small.boot()
    await gen_statem.start(importlib.import_module("shop.lamp").Lamp, "green", name="lamp")
    plan = await small.handler.plan("2")
    assert not plan.way_back
    assert "the downgrade returned the state lime, which release 1 does not define" in plan.warnings[0]


TWICE = """
    [[up]]
    from = "1"
    instructions = [
      { load_object_code = "shop", vsn = "2", modules = ["shop.counter"] },
      { point_of_no_return = true },
      { suspend = ["shop.counter"] },
      { load = "shop.counter" },
      { code_change = [["shop.counter", 1]], mode = "up" },
      { code_change = [["shop.counter", 2]], mode = "up" },
      { resume = ["shop.counter"] },
    ]
    [[down]]
    to = "1"
    instructions = [
      { load_object_code = "shop", vsn = "1", modules = ["shop.counter"] },
      { point_of_no_return = true },
      { suspend = ["shop.counter"] },
      { code_change = [["shop.counter", 1]], mode = "down" },
      { code_change = [["shop.counter", 2]], mode = "down" },
      { load = "shop.counter" },
      { resume = ["shop.counter"] },
    ]
"""
STEPWISE = """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        if isinstance(old_vsn, Down):
            return old_vsn.target.State(state.count - extra) if LAST else State(state.count - extra, state.total)
        return State(state.count + extra, 100)
"""


@pytest.mark.parametrize(("last", "way_back"), [("extra == 2", True), ("False", False)])
async def test_a_script_with_several_code_changes_of_a_class_has_a_rehearsed_way_back(
    small: SmallNode, last: str, way_back: bool
) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": GROWN + STEPWISE.replace("LAST", last)}, TWICE, probation="deadline = 600")
    small.boot()
    await gen_server.start(importlib.import_module("shop.counter").Counter, name="counter")
    plan = await small.handler.plan("2")
    assert (plan.blockers, plan.way_back) == ((), way_back)
    assert plan.rehearsal is not None
    assert {one.given_back for one in plan.rehearsal.results} == {None, way_back}
    if way_back:
        assert (await small.install("2")).outcome == "installed"
        assert live_processes.raw_state("counter").count == 7
        assert (await small.roll_back()).outcome == "reverted"
        assert live_processes.raw_state("counter").count == 4
    else:
        assert "returned a State; Counter declares its state as State of release 1" in plan.warnings[0]

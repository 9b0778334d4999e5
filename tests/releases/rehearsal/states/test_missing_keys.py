"""A plan names the keys that the new code expects in a dict that a process holds as its state."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest

from node_runtime import gen_server
from node_runtime.protocol import messages as m
from node_runtime.sys import replace_state
from tests.support.projects.small_shop import LOAD_COUNTER, UPDATE_COUNTER

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

PLAIN = """
from node_runtime import GenServer

class Counter(GenServer[dict]):
    def init(self):
        return {"count": 4}
"""
TYPED = """
from typing import TypedDict
from node_runtime import GenServer

class State(TypedDict):
    count: int

class Counter(GenServer[State]):
    def init(self):
        return State(count=4)
"""
MORE = {
    PLAIN: PLAIN.replace('"count": 4', '"count": 4, "names": []'),
    TYPED: TYPED.replace("count: int", "count: int\n    names: list[str]").replace("count=4", "count=4, names=[]"),
}
ADDING = """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        return {"count": state["count"], "names": []}
"""


async def planned(small: SmallNode, first: str, second: str, appup: str = UPDATE_COUNTER) -> m.Plan:
    small.write("1", {"shop.counter": first})
    small.write("2", {"shop.counter": second}, appup)
    small.boot()
    await gen_server.start(importlib.import_module("shop.counter").Counter, name="counter")
    return await small.handler.plan("2")


@pytest.mark.parametrize("appup", [UPDATE_COUNTER, LOAD_COUNTER])
async def test_a_key_that_only_the_new_init_sets_is_a_warning(small: SmallNode, appup: str) -> None:
    plan = await planned(small, PLAIN, MORE[PLAIN], appup)
    assert plan.blockers == ()
    (warning,) = plan.warnings
    assert warning.startswith(
        "The state of counter (shop.counter:Counter) has no key 'names', which init of release 2 sets: write a "
        "code_change that adds key 'names'"
    )
    assert (appup == LOAD_COUNTER) is ("let the appup have" in warning)


@pytest.mark.parametrize("appup", [UPDATE_COUNTER, LOAD_COUNTER])
async def test_a_key_that_the_declared_type_requires_is_a_blocker(small: SmallNode, appup: str) -> None:
    (blocker,) = (await planned(small, TYPED, MORE[TYPED], appup)).blockers
    assert blocker.reason == (
        "the state of counter (shop.counter:Counter) has no key 'names', which release 2 requires"
    )
    assert blocker.remedy.startswith("declare key 'names' as NotRequired, or write a code_change that adds key 'names'")


@pytest.mark.parametrize("first", [PLAIN, TYPED])
async def test_a_written_code_change_that_adds_the_key_has_no_warning(small: SmallNode, first: str) -> None:
    plan = await planned(small, first, MORE[first] + ADDING)
    assert plan.blockers == ()
    assert not [text for text in plan.warnings if "has no key" in text]


async def test_a_code_change_that_forgets_a_required_key_is_refused(small: SmallNode) -> None:
    forgetting = ADDING.replace(', "names": []', "")
    (blocker,) = (await planned(small, TYPED, MORE[TYPED] + forgetting)).blockers
    assert "Counter declares its state as State" in blocker.reason


async def test_a_state_that_has_the_key_has_no_warning(small: SmallNode) -> None:
    await planned(small, PLAIN, MORE[PLAIN])
    await replace_state("counter", lambda state: {**state, "names": []})
    assert (await small.handler.plan("2")).warnings == ()

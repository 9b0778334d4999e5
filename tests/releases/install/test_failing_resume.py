"""A resume that fails: every process has its old state and code again, or the node says that it has to restart."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest

from node_runtime import call, gen_server, gen_statem, runtime
from node_runtime.behaviours.upgrade import live_processes
from node_runtime.protocol import messages as m
from node_runtime.releases.probation import Probation
from tests.support.projects.small_shop import COUNTER, LAMP, LIVE, UPDATE_COUNTER
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

BARRIER = """
class Barrier:
    def __get__(self, instance, owner=None):
        return self

    def __set__(self, instance, state):
        if state["count"] == 7:
            raise RAISED
"""
SHADOWED = f"""{LIVE}
{BARRIER}
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        if live():
            type.__setattr__(cls, "state", Barrier())  # the metaclass refuses `cls.state = Barrier()`
        return dict(state)
"""
SHADOWED = SHADOWED.replace(BARRIER, "").replace("class Counter", f"{BARRIER}\nclass Counter")
PAIR = """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        return Pair(*state)

import typing

class Pair(typing.NamedTuple):
    name: str
    data: object
"""


async def start_counters(small: SmallNode, second: str, *counts: int) -> dict[str, object]:
    """Boot release 1 with a counter for each count; return their states by name."""
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": second}, UPDATE_COUNTER, probation="deadline = 60.0")
    small.boot()
    states = {}
    for count in counts:
        pid = await gen_server.start(importlib.import_module("shop.counter").Counter, name=f"counter{count}")
        states[f"counter{count}"] = live_processes.raw_state(pid)
        live_processes.raw_state(pid)["count"] = count
    return states


async def add(name: str) -> int:
    return await call(name, importlib.import_module("shop.counter").Counter.add)


@pytest.mark.parametrize(
    "raised", ["ValueError('seven')", "SystemExit(7)", "KeyboardInterrupt()", "__import__('asyncio').CancelledError()"]
)
async def test_one_process_of_many_that_cannot_take_its_new_state_reverts_the_install(
    small: SmallNode, raised: str
) -> None:
    states = await start_counters(small, SHADOWED.replace("RAISED", raised), 1, 7, 3)

    operation = await small.install("2")

    assert operation.outcome == "put back"
    assert operation.error is not None
    assert operation.error.startswith("the resume of counter7 (shop.counter): ")
    assert {name: live_processes.raw_state(name) is state for name, state in states.items()} == dict.fromkeys(
        states, True
    )
    assert [await add(name) for name in states] == [2, 8, 4]
    assert small.handler.vsn == "1"
    outcomes = {result.name: result.outcome for result in operation.results}
    assert outcomes == {"counter1": "put back", "counter7": "failed", "counter3": "put back"}


async def test_a_release_whose_class_shadows_its_state_is_refused_in_the_plan_and_by_the_node(small: SmallNode) -> None:
    shadowing = COUNTER.replace('"c1"', '"c2"') + "\n    @property\n    def state(self):\n        return {}\n"
    await start_counters(small, shadowing, 1)
    sentence = "Counter defines state, the attribute that holds the state of its processes; choose another name"

    (blocker,) = (await small.handler.plan("2")).blockers
    assert sentence in blocker.reason
    operation = await small.install("2")
    assert operation.outcome == "aborted"
    assert sentence in (operation.error or "")
    assert await add("counter1") == 2


async def test_a_subclass_of_a_tuple_is_not_the_state_of_a_state_machine(small: SmallNode) -> None:
    small.write("1", {"shop.lamp": LAMP})
    small.write("2", {"shop.lamp": LAMP + PAIR}, UPDATE_COUNTER.replace("shop.counter", "shop.lamp"))
    small.boot()
    await gen_statem.start(importlib.import_module("shop.lamp").Lamp, "green", name="lamp")
    (blocker,) = (await small.handler.plan("2")).blockers
    assert "its code_change returned a Pair instead of (state, data)" in blocker.reason
    operation = await small.install("2")
    assert operation.outcome == "aborted"
    gen_statem.cast("lamp", "lime")
    await eventually(lambda: live_processes.raw_state("lamp") == ("lime", None))


async def test_an_error_after_the_resume_restarts_the_node_and_says_so(
    small: SmallNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    await start_counters(small, LIVE, 1)
    halts: list[object] = []
    runtime().on_halt = halts.append

    def fail(*_: object) -> None:
        raise SystemExit(3)

    monkeypatch.setattr(Probation, "begin", fail)

    operation = await small.ended(small.handler.install(m.Install(vsn="2"), "ann"))

    assert operation.outcome == "partly put back"
    assert "not put back: the processes, because some of them may run the new code already" in (operation.error or "")
    await eventually(lambda: halts == [operation.error], what="the halt")
    assert small.handler.operation().id == operation.id

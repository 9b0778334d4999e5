"""The functions that a script applies are rehearsed as far as possible without a node."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest

from node_runtime import gen_server
from node_runtime.protocol import messages as m
from tests.support.projects.rehearsed_shop import settings
from tests.support.projects.small_shop import COUNTER, COUNTER_2

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

FUNCTIONS = """
import asyncio

PRICES = {}

def put(name, price):
    PRICES[name] = price

def take(name, price):
    del PRICES[name]

def fail():
    raise ValueError("no price")

def fail_to_take(name, price):
    raise KeyError(name)

def double():
    if PRICES["tea"] != 3:
        raise ValueError("it was not put")

async def put_soon(name, price):
    PRICES[name] = price

async def wait():
    await asyncio.sleep(0)

def ask():
    from node_runtime import whereis
    whereis("counter")

def hang():
    while True:
        pass

def leave():
    import os
    os._exit(3)
"""
SCRIPT = """
    [[up]]
    from = "1"
    instructions = [ { load_module = "shop.counter" }, STEPS ]
"""


async def plan_with(small: SmallNode, *steps: str, functions: str = FUNCTIONS, limit: float = 60.0) -> m.Plan:
    """The plan of a release that applies `functions`, each for at most `limit` seconds."""
    script = SCRIPT.replace("STEPS", ", ".join(f"{{ {step} }}" for step in steps))
    small.write("1", {"shop.counter": COUNTER, "shop.prices": functions})
    small.write("2", {"shop.counter": COUNTER_2, "shop.prices": functions}, script)
    small.boot()
    settings(small, f"code_change = {limit}")
    await gen_server.start(importlib.import_module("shop.counter").Counter, name="counter")
    return await small.handler.plan("2")


def calls(plan: m.Plan) -> list[tuple[str, str, str]]:
    assert plan.rehearsal is not None
    assert plan.rehearsal.error is None
    return [(one.function, one.outcome, one.message) for one in plan.rehearsal.calls]


PUT = 'apply = "shop.prices:put", args = ["tea", 3], undo = "shop.prices:take"'


async def test_applied_functions_and_their_undos_run_in_order_in_the_copy_only(small: SmallNode) -> None:
    plan = await plan_with(
        small, PUT, 'apply = "shop.prices:double"', 'apply = "shop.prices:put_soon", args = ["c", 1]'
    )
    assert calls(plan) == []
    assert plan.blockers == ()
    assert importlib.import_module("shop.prices").PRICES == {}
    assert (await small.install("2")).outcome == "installed"
    assert importlib.import_module("shop.prices").PRICES == {"tea": 3, "c": 1}


FAILING = {
    "fail": ("raised", "it raised ValueError: no price"),
    "hang": ("hung", "it has not ended within 0.2 s"),
    "leave": ("died", "it ended the copy of the node that it ran in"),
}


@pytest.mark.parametrize("name", FAILING)
async def test_an_applied_function_that_fails_is_a_blocker(small: SmallNode, name: str) -> None:
    plan = await plan_with(small, f'apply = "shop.prices:{name}"', limit=0.2 if name == "hang" else 60.0)
    assert calls(plan) == [(f"shop.prices:{name}", *FAILING[name])]
    (blocker,) = plan.blockers
    assert blocker.reason.startswith(f"instruction 3, apply shop.prices:{name}: {FAILING[name][1]}")
    assert blocker.remedy.startswith("correct the function")
    refused = await small.install("2")
    assert refused.outcome == "aborted"
    assert blocker.reason in str(refused.error)


async def test_an_undo_that_fails_is_a_blocker(small: SmallNode) -> None:
    plan = await plan_with(small, PUT.replace("prices:take", "prices:fail_to_take"))
    assert [blocker.reason.partition(" (/")[0] for blocker in plan.blockers] == [
        "instruction 3, apply shop.prices:put: its undo shop.prices:fail_to_take raised KeyError: 'tea'"
    ]


UNTRIED = {"ask": "it calls the runtime", "wait": "it waits for something"}


@pytest.mark.parametrize("name", UNTRIED)
async def test_a_function_that_acts_on_the_node_is_not_rehearsed_and_neither_are_later_ones(
    small: SmallNode, name: str
) -> None:
    plan = await plan_with(small, f'apply = "shop.prices:{name}"', 'apply = "shop.prices:double"')
    missing = "the earlier instruction 3 was not rehearsed"
    first, second = calls(plan)
    assert first[:2] == (f"shop.prices:{name}", "unrehearsed")
    assert first[2].startswith(UNTRIED[name])
    assert second == ("shop.prices:double", "unrehearsed", f"it raised KeyError: 'tea'; {missing}")
    assert plan.blockers == ()


WRONG = {
    "args": ('apply = "shop.prices:put", args = ["tea"]', "shop.prices:put can't be called with the args in the appup"),
    "own": (
        'apply = "node_runtime.supervisor:terminate_child", args = ["top"]',
        "node_runtime.supervisor:terminate_child can't be called with the args in the appup",
    ),
    "no function": ('apply = "shop.prices:PRICES"', "shop.prices:PRICES can't be called with the args in the appup"),
}


@pytest.mark.parametrize("what", WRONG)
async def test_an_impossible_call_is_found_in_any_case(small: SmallNode, what: str) -> None:
    step, reason = WRONG[what]
    plan = await plan_with(small, step)
    assert [blocker.reason for blocker in plan.blockers] == [reason]

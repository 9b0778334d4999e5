"""Side effects of a code_change that fails, and their report."""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING

import pytest

from node_runtime import Pid, call, gen_server, is_alive, runtime
from node_runtime.behaviours.upgrade import live_processes
from node_runtime.protocol.messages import Term
from tests.support.projects.small_shop import COUNTER, FAILING, GROWING, LEAVING, SPOILING, UPDATE_COUNTER, WAITING
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]


async def start_counters(small: SmallNode, second: str, *counts: int) -> list[Pid]:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": second}, UPDATE_COUNTER)
    small.boot()
    pids = []
    for count in counts:
        pid = await gen_server.start(importlib.import_module("shop.counter").Counter, name=f"counter{count}")
        live_processes.raw_state(pid)["count"] = count
        pids.append(pid)
    return pids


def item(term: Term, label: str) -> str:
    return dict(term.items)[label].text


@pytest.mark.parametrize(
    "raised",
    ["SystemExit(3)", "KeyboardInterrupt()", "__import__('asyncio').CancelledError()", "StopIteration()"],
)
async def test_any_exception_of_a_code_change_reverts_the_install(small: SmallNode, raised: str) -> None:
    pids = await start_counters(small, LEAVING.replace("SystemExit(3)", raised), 1, 7)
    operation = await small.install("2")
    assert operation.outcome == "put back"
    assert operation.error is not None
    assert raised.removeprefix("__import__('asyncio').").partition("(")[0] in operation.error
    assert "counter7" in operation.error
    assert [is_alive(pid) for pid in pids] == [True, True]
    counter = importlib.import_module("shop.counter").Counter
    assert await call("counter7", counter.version) == "c1"
    assert await call("counter1", counter.add) == 2


async def test_a_state_mutated_by_a_failed_code_change_is_not_reported_as_restored(small: SmallNode) -> None:
    await start_counters(small, SPOILING, 1, 7)
    halts: list[object] = []
    runtime().on_halt = halts.append

    operation = await small.install("2")

    assert operation.outcome == "partly put back"
    assert operation.error is not None
    assert "counter7" in operation.error
    assert "its code_change mutated the old state" in operation.error
    await eventually(lambda: halts == [operation.error], what="the halt")
    results = {result.name: result for result in operation.results}
    assert results["counter7"].before.text == "‹changed by its code_change›"
    assert item(results["counter7"].after, "count") == "70"
    assert results["counter7"].outcome == "failed"
    assert results["counter1"].outcome == "put back"
    assert results["counter1"].before == results["counter1"].after


async def test_a_state_mutated_before_another_process_failed_is_named_too(small: SmallNode) -> None:
    changing = FAILING.replace("return dict(state)", 'if live(): state["list"] = []\n        return state')
    await start_counters(small, changing, 1, 7)
    runtime().on_halt = lambda reason: None
    operation = await small.install("2")
    assert operation.outcome == "partly put back"
    results = {result.name: result for result in operation.results}
    assert results["counter1"].outcome == "failed"
    assert results["counter1"].reason == "its code_change mutated the old state"
    assert "seven is right out" in (results["counter7"].reason or "")
    assert "changed the state" not in (results["counter7"].reason or "")


async def test_a_state_too_large_to_compare_is_not_reported_as_unchanged(small: SmallNode) -> None:
    pids = await start_counters(small, FAILING, 7)
    live_processes.raw_state(pids[0])["many"] = list(range(100_000))
    operation = await small.install("2", unrehearsed=True)
    assert operation.outcome == "put back"
    assert operation.error is not None
    assert "not checked for mutation: the state of counter7" in operation.error


async def test_results_do_not_show_a_mutated_state_as_the_state_before(small: SmallNode) -> None:
    await start_counters(small, GROWING, 4)
    operation = await small.install("2")
    assert operation.outcome == "installed"
    result = operation.results[0]
    assert (result.before.text, item(result.after, "count")) == ("‹changed by its code_change›", "40")


async def test_an_async_code_change_is_refused_and_leaves_no_warning(small: SmallNode) -> None:
    await start_counters(small, WAITING, 7)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        operation = await small.install("2")
    assert operation.outcome == "put back"
    assert "must not be async" in (operation.error or "")
    assert [str(one.message) for one in warned if "never awaited" in str(one.message)] == []

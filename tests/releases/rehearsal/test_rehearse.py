"""Rehearsals on a live node: their findings, the processes that they name, and no effect on the node."""

from __future__ import annotations

import asyncio
import ctypes
import importlib
from typing import TYPE_CHECKING

import psutil
import pytest

from node_runtime import call, gen_server, gen_statem
from node_runtime.behaviours.upgrade import live_processes
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Term
from tests.support.projects.rehearsed_shop import changing, only, settings, start_counters
from tests.support.projects.small_shop import COUNTER, COUNTER_2, LAMP, LAMP_2, UPDATE_COUNTER

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]


def item(term: Term | None, label: str) -> str:
    assert term is not None
    return dict(term.items)[label].text


async def test_the_one_of_a_thousand_processes_that_would_fail_is_named_without_side_effects(
    small: SmallNode,
) -> None:
    failing = changing(
        'if state["count"] == 777:\n    raise ValueError("777 is right out")\nreturn {**state, "new": 1}'
    )
    pids = await start_counters(small, failing, *range(1000))
    states = [live_processes.raw_state(pid) for pid in pids]
    contents = [dict(state) for state in states]
    cls = importlib.import_module("shop.counter").Counter
    heard: list[tuple[str, int, int]] = []
    small.handler.rehearsals.subscribe(lambda *news: heard.append(news))

    plan = await small.handler.plan("2")

    (blocker,) = plan.blockers
    assert blocker.pid == pids[777]
    assert blocker.reason.startswith("counter777 (shop.counter): its code_change raised ValueError: 777 is right out (")
    assert "counter.py:" in blocker.reason
    assert not blocker.transient
    rehearsal = plan.rehearsal
    assert rehearsal is not None
    assert (rehearsal.processes, rehearsal.reached, rehearsal.failed, rehearsal.unrehearsed) == (1000, 1000, 1, 0)
    first = rehearsal.results[0]
    assert (first.pid, first.outcome) == (pids[777], "raised")
    assert first.trace[-1].endswith('code_change: raise ValueError("777 is right out")')
    assert item(first.before, "count") == "777"
    assert {one.outcome for one in rehearsal.results[1:]} == {"ok"}
    assert heard[-1] == ("2", 1000, 1000)
    assert [live_processes.raw_state(pid) is state for pid, state in zip(pids, states, strict=True)] == [True] * 1000
    assert states == contents
    assert importlib.import_module("shop.counter").Counter is cls
    assert await call("counter777", cls.version) == "c1"
    assert small.reports == []

    aborted = await small.install("2", plan_id=plan.id)
    assert aborted.outcome == "aborted"
    assert aborted.error is not None
    assert "counter777" in aborted.error
    assert [step.phase for step in aborted.steps] == ["preparing", "rehearsing"]
    assert aborted.rehearsal is not None
    assert (aborted.rehearsal.results[0].pid, aborted.rehearsal.results[0].outcome) == (pids[777], "raised")
    assert [live_processes.raw_state(pid) is state for pid, state in zip(pids, states, strict=True)] == [True] * 1000
    assert states == contents


async def test_a_successful_rehearsal_shows_each_new_state(small: SmallNode) -> None:
    tenfold = 'return {"count": state["count"] // 10 if isinstance(old_vsn, Down) else state["count"] * 10}'
    await start_counters(small, changing(f"from node_runtime import Down\n{tenfold}"), 4)
    plan = await small.handler.plan("2")
    one = only(plan)
    assert plan.blockers == ()
    assert (one.name, one.outcome, one.message) == ("counter4", "ok", None)
    assert (item(one.before, "count"), item(one.after, "count")) == ("4", "40")
    assert plan.rehearsal is not None
    assert plan.rehearsal.around > 0
    assert plan.rehearsal.bodies
    assert plan.pause == plan.rehearsal.bodies + (plan.rehearsal.pause + plan.rehearsal.around)


async def test_the_pause_of_processes_that_are_only_held_is_estimated_too(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER})
    soft = UPDATE_COUNTER.replace(', change = "advanced", extra = "x"', "")
    small.write("2", {"shop.counter": COUNTER_2}, soft)
    small.boot()
    await gen_server.start(importlib.import_module("shop.counter").Counter)
    plan = await small.handler.plan("2")
    assert [one.action for one in plan.processes] == ["suspend"]
    assert plan.pause
    assert plan.blockers == ()


WRONG = {
    "raised": ('raise KeyError("total")', "its code_change raised KeyError: 'total'"),
    "wrong type": ("return [state]", "its code_change returned a list; Counter declares its state as dict"),
    "mutated": ('state["count"] += 1\nreturn dict(state)', "its code_change mutates the old state"),
    "hung": ("while True:\n    pass", "its code_change has not ended within 0.2 s"),
    "died": ("import os\nos._exit(3)", "its code_change ended the copy of the node that it ran in"),
}


@pytest.mark.parametrize("outcome", WRONG)
async def test_errors_of_a_code_change_are_found(small: SmallNode, outcome: str) -> None:
    body, message = WRONG[outcome]
    (pid,) = await start_counters(small, changing(body), 5)
    if outcome == "hung":
        settings(small, "code_change = 0.2")
    plan = await small.handler.plan("2")
    one = only(plan)
    assert (one.outcome, one.message) == (outcome, message)
    (blocker,) = plan.blockers
    assert blocker.pid == pid
    assert blocker.reason.startswith(f"counter5 (shop.counter): {message}")
    assert blocker.remedy
    assert live_processes.raw_state(pid) == {"count": 5}


async def test_a_code_change_that_cannot_be_interrupted_is_killed_and_named(small: SmallNode) -> None:
    await start_counters(small, changing("return sum(range(10**12))"), 5)
    settings(small, "code_change = 0.2")
    one = only(await small.handler.plan("2"))
    assert one.outcome == "hung"
    assert one.message == "its code_change has not ended within 0.2 s, and can't be interrupted"


async def test_a_thread_that_was_about_to_end_is_no_thread_of_a_library(small: SmallNode) -> None:
    await start_counters(small, changing("return sum(range(10**12))"), 5)
    settings(small, "code_change = 0.5")
    libc = ctypes.CDLL(None)
    thread = ctypes.c_ulong()
    libc.pthread_create(ctypes.byref(thread), None, libc.usleep, ctypes.c_void_p(400_000))
    libc.pthread_detach(thread)
    assert only(await small.handler.plan("2")).outcome == "hung"


async def test_memory_is_bounded(small: SmallNode) -> None:
    await start_counters(small, changing('return {"count": 0, "many": bytearray(3 << 30)}'), 5)
    one = only(await small.handler.plan("2"))
    assert one.outcome == "raised"
    assert one.message == "its code_change needs more than 1024 MiB on top of the node's memory"


async def test_an_object_of_the_old_version_is_not_the_declared_state_of_the_new_one(small: SmallNode) -> None:
    kept = "from dataclasses import dataclass\n@dataclass\nclass State:\n    count: int = 0\n"
    grown = kept.replace("= 0", "= 0\n    total: int = 0")
    first = changing("return state", top=kept, base="State").replace('{"count": 0}', "State()")
    small.write("1", {"shop.counter": first})
    small.write("2", {"shop.counter": changing("return state", top=grown, base="State")}, UPDATE_COUNTER)
    small.boot()
    await gen_server.start(importlib.import_module("shop.counter").Counter, name="counter")
    one = only(await small.handler.plan("2"))
    assert one.outcome == "wrong type"
    assert one.message == "its code_change returned a State; Counter declares its state as State of release 2"


async def test_a_state_machine_in_a_state_that_the_target_lacks(small: SmallNode) -> None:
    small.write("1", {"shop.lamp": LAMP})
    small.write("2", {"shop.lamp": LAMP_2}, UPDATE_COUNTER.replace("shop.counter", "shop.lamp"))
    small.boot()
    pid = await gen_statem.start(importlib.import_module("shop.lamp").Lamp, "lime", name="lamp")
    plan = await small.handler.plan("2")
    assert only(plan).outcome == "no such state"
    assert [blocker.pid for blocker in plan.blockers] == [pid]
    assert live_processes.raw_state("lamp") == ("lime", None)


async def test_a_downgrade_that_does_not_restore_the_state_is_a_warning(small: SmallNode) -> None:
    up, down = 'return {**state, "n": 1}', 'return {"count": 0}'
    forgetful = f"from node_runtime import Down\nif isinstance(old_vsn, Down):\n    {down}\n{up}"
    await start_counters(small, changing(forgetful), 0, 5)
    plan = await small.handler.plan("2")
    assert plan.blockers == ()
    assert plan.warnings == ("counter5 (shop.counter): the downgrade does not restore the old state.",)
    assert plan.rehearsal is not None
    assert plan.rehearsal.not_given_back == 1
    assert {one.name: one.given_back for one in plan.rehearsal.results} == {"counter5": False, "counter0": True}
    assert (await small.install("2")).outcome == "installed"


async def test_the_environment_that_a_code_change_reads_is_that_of_the_target(small: SmallNode) -> None:
    reading = 'from node_runtime import application\nreturn {"count": application.get_env("shop", "step")}'
    small.write("1", {"shop.counter": COUNTER}, env="step = 1")
    small.write("2", {"shop.counter": changing(reading)}, UPDATE_COUNTER, env="step = 2")
    small.boot()
    await gen_server.start(importlib.import_module("shop.counter").Counter, name="counter")
    one = only(await small.handler.plan("2"))
    assert (one.outcome, item(one.after, "count")) == ("ok", "2")


async def test_secrets_stay_hidden(small: SmallNode) -> None:
    await start_counters(small, changing('return {**state, "api_key": "new"}'), 5)
    live_processes.raw_state("counter5")["password"] = "old"
    plan = await small.handler.plan("2")
    assert "old" not in str(only(plan).before)
    assert "new" not in str(only(plan).after)


async def test_the_event_loop_goes_on_while_a_rehearsal_runs(small: SmallNode) -> None:
    gate = small.root / "gate"
    waiting = f"import os, time\nwhile not os.path.exists({str(gate)!r}): pass\ntime.sleep(0.3)\nreturn dict(state)"
    await start_counters(small, changing(waiting), 5, 6)
    cls = importlib.import_module("shop.counter").Counter
    task = asyncio.create_task(small.handler.plan("2"))
    calls = 0
    while not task.done():
        await call("counter5", cls.add)
        calls += 1
        await asyncio.sleep(0)
        if calls == 100:
            gate.touch()
    plan = await task
    assert plan.rehearsal is not None
    assert plan.rehearsal.pause > 0.6
    assert calls >= 100
    assert live_processes.raw_state("counter5")["count"] == 5 + calls


async def test_no_os_process_is_left(small: SmallNode) -> None:
    before = psutil.Process().children()  # those of multiprocessing, which other tests have started, and which may end
    await start_counters(small, changing("return dict(state)"), 5)
    await small.handler.plan("2")
    assert [child for child in psutil.Process().children() if child not in before] == []


async def test_while_the_node_changes_there_is_no_plan(small: SmallNode) -> None:
    await start_counters(small, changing("return dict(state)"), 5)
    operation = small.handler.install(m.Install(vsn="2"), "ann")
    with pytest.raises(Refused, match="ann is installing release 2"):
        await small.handler.plan("2")
    assert (await small.ended(operation)).outcome == "installed"

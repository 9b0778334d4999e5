"""Installs on a live node: what changes, what does not, and what is reverted."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING

from node_runtime import application, call, gen_server, gen_statem, process_info
from node_runtime.behaviours.upgrade import live_processes
from node_runtime.protocol import messages as m
from node_runtime.protocol.messages import Term
from tests.support.projects.small_shop import (
    COUNTER,
    COUNTER_2,
    FAILING,
    LAMP,
    LAMP_2,
    LOAD_COUNTER,
    LOAD_LAMP,
    MIGRATING,
    UPDATE_COUNTER,
)
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]


async def start_counter(name: str = "counter", count: int = 0) -> int:
    pid = await gen_server.start(importlib.import_module("shop.counter").Counter, name=name)
    live_processes.raw_state(pid)["count"] = count
    return pid


async def start_lamp(colour: str) -> int:
    return await gen_statem.start(importlib.import_module("shop.lamp").Lamp, colour, name="lamp")


async def ask(name: str, method: str, *args: object) -> object:
    return await call(name, getattr(importlib.import_module("shop.counter").Counter, method), *args)


def running(name: str) -> bool:
    return process_info(name).status == "running"


def item(term: Term, label: str) -> str:
    return dict(term.items)[label].text


async def test_load_module_gives_new_code_and_leaves_the_state_up_and_down(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER)
    handler = small.boot()
    pid = await start_counter(count=4)
    state = live_processes.raw_state(pid)

    plan = await handler.plan("2")
    assert (plan.direction, plan.blockers, plan.way_back) == ("up", (), True)
    assert [(one.name, one.action, one.old_vsn, one.new_vsn) for one in plan.modules] == [
        ("shop.counter", "load", "c1", "c2")
    ]
    assert [(one.pid, one.name, one.action) for one in plan.processes] == [(pid, "counter", "load")]
    assert plan.instructions == ("read the code of shop 2: shop.counter", "load shop.counter")
    assert plan.point_of_no_return == 1

    up = await small.install("2", plan_id=plan.id, direction="up")
    assert (up.outcome, up.error) == ("installed", None)
    assert handler.vsn == "2"
    assert handler.permanent == "1"
    result = up.results[0]
    assert (result.action, result.old_vsn, result.new_vsn, result.outcome) == ("load", "c1", "c2", "ok")
    assert result.before == result.after
    assert up.pause is not None
    assert [step.phase for step in up.steps] == ["preparing", "rehearsing", "loading", "resuming"]
    assert await ask("counter", "version") == "c2"
    assert live_processes.raw_state(pid) is state

    down = await small.install("1", direction="down")
    assert down.outcome == "installed"
    assert await ask("counter", "version") == "c1"
    assert await ask("counter", "add") == 5
    assert live_processes.raw_state(pid) is state


async def test_an_advanced_update_migrates_with_a_before_and_an_after(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": MIGRATING}, UPDATE_COUNTER)
    small.boot()
    pid = await start_counter(count=4)

    assert [one.action for one in (await small.handler.plan("2")).processes] == ["migrate"]
    up = await small.install("2")
    assert up.outcome == "installed"
    assert [step.phase for step in up.steps] == [
        "preparing",
        "rehearsing",
        "holding",
        "loading",
        "migrating",
        "resuming",
    ]
    assert item(up.results[0].before, "count") == "4"
    assert item(up.results[0].after, "count") == "40"
    assert live_processes.raw_state(pid) == {"count": 40, "from": ["c1", "x"]}
    assert await ask("counter", "add") == 41

    down = await small.roll_back()
    assert down.kind == "revert"
    assert down.outcome == "reverted"
    assert item(down.results[0].before, "count") == "41"
    assert live_processes.raw_state(pid) == {"count": 41, "gone": ["c1", "x"]}
    assert await ask("counter", "version") == "c1"


async def test_results_show_a_state_as_its_class_wants_it_shown(small: SmallNode) -> None:
    hiding = "\n    def format_status(self):\n        return {'digits': len(str(self.state['count']))}\n"
    small.write("1", {"shop.counter": COUNTER + hiding})
    small.write("2", {"shop.counter": MIGRATING + hiding}, UPDATE_COUNTER)
    small.boot()
    await start_counter(count=4)
    result = (await small.install("2")).results[0]
    assert [label for label, _ in result.before.items] == ["digits"]
    assert item(result.before, "digits") == "1"
    assert item(result.after, "digits") == "2"


async def test_a_failing_code_change_restores_the_same_state_objects(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER}, env="port = 1")
    small.write("2", {"shop.counter": FAILING}, UPDATE_COUNTER, env="port = 2")
    small.boot()
    pids = [await start_counter(f"counter{count}", count) for count in (1, 7, 3)]
    states = [live_processes.raw_state(pid) for pid in pids]

    operation = await small.install("2")

    assert operation.outcome == "put back"
    assert operation.error is not None
    assert "counter7" in operation.error
    assert "seven is right out" in operation.error
    assert [live_processes.raw_state(pid) is state for pid, state in zip(pids, states, strict=True)] == [True] * 3
    assert await ask("counter7", "version") == "c1"
    assert await ask("counter1", "add") == 2
    assert application.get_env("shop", "port") == 1
    assert small.handler.vsn == "1"
    outcomes = {result.name: result.outcome for result in operation.results}
    assert outcomes == {"counter1": "put back", "counter7": "failed", "counter3": "put back"}


async def test_the_environment_follows_the_release_and_secrets_stay_hidden_in_the_plan(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER}, env='port = 1\napi_key = "old"')
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER, env='port = 2\napi_key = "new"')
    small.boot()
    plan = await small.handler.plan("2")
    assert plan.configuration == (("shop.api_key", "‹redacted›", "‹redacted, changed›"), ("shop.port", "1", "2"))
    await small.install("2")
    assert application.get_env("shop", "port") == 2
    assert [spec.vsn for spec in application.loaded_applications()] == ["2"]


APP = """
from node_runtime import Application, Supervisor, supervisor

told = []

class Top(Supervisor):
    def children(self):
        return []

class App(Application):
    async def start(self, start_type, args):
        return await supervisor.start_link(Top)

    async def config_change(self, changed, new, removed):
        told.append((changed, new, removed))
"""


async def test_a_running_application_is_told_of_its_changed_environment(small: SmallNode) -> None:
    small.write("1", {"shop.app": APP, "shop.counter": COUNTER}, env="port = 1\nold = 1\nsame = 1", mod="shop.app:App")
    modules = {"shop.app": APP, "shop.counter": COUNTER_2}
    small.write("2", modules, LOAD_COUNTER, env="port = 2\nnew = 1\nsame = 1", mod="shop.app:App")
    small.boot()
    await application.start("shop")
    await small.install("2")
    assert importlib.import_module("shop.app").told == [({"port": 2}, {"new": 1}, ("old",))]
    await small.roll_back()
    assert importlib.import_module("shop.app").told[1:] == [({"port": 1}, {"old": 1}, ("new",))]


async def test_a_state_machine_in_a_state_that_the_target_lacks_blocks_until_it_has_left_it(small: SmallNode) -> None:
    small.write("1", {"shop.lamp": LAMP})
    small.write("2", {"shop.lamp": LAMP_2}, LOAD_LAMP)
    small.boot()
    await start_lamp("lime")
    sentence = "lamp is in state lime, which release 2 does not define"

    blockers = (await small.handler.plan("2")).blockers
    assert [(one.reason, one.transient) for one in blockers] == [(sentence, True)]
    assert '(--wait SECONDS, or "Wait up to" in the dashboard)' in blockers[0].remedy
    refused = await small.install("2")
    assert (refused.outcome, refused.error) == ("aborted", sentence)
    assert small.handler.vsn == "1"

    operation = small.handler.install(m.Install(vsn="2", wait=30.0), "ann")
    await eventually(lambda: small.handler.operation(operation).phase == "waiting", what="the wait")
    gen_statem.cast("lamp", "green")
    assert (await small.ended(operation)).outcome == "installed"

    gen_statem.cast("lamp", "red")
    back = await small.roll_back()
    assert back.error == "lamp is in state red, which release 1 does not define"
    gen_statem.cast("lamp", "green")
    assert (await small.roll_back()).outcome == "reverted"


async def test_the_state_is_looked_at_again_in_the_turn_that_switches(small: SmallNode) -> None:
    small.write("1", {"shop.lamp": LAMP, "shop.counter": COUNTER})
    both = UPDATE_COUNTER.replace("instructions = [", 'instructions = [ { load_module = "shop.lamp" },')
    small.write("2", {"shop.lamp": LAMP_2, "shop.counter": COUNTER_2}, both)
    small.boot()
    await start_counter()
    await start_lamp("green")
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(ask("counter", "wait", gate))
    await eventually(lambda: running("counter"))

    operation = small.handler.install(m.Install(vsn="2"), "ann")
    await eventually(lambda: small.handler.operation(operation).phase == "holding", what="the hold")
    gen_statem.cast("lamp", "lime")
    await eventually(lambda: live_processes.raw_state("lamp")[0] == "lime")
    gate.set_result(None)

    ended = await small.ended(operation)
    assert (ended.outcome, ended.error) == ("aborted", "lamp is in state lime, which release 2 does not define")
    assert await waiting == "c1"
    assert await ask("counter", "version") == "c1"


async def test_an_async_callback_answers_from_its_own_version_through_up_and_down(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER)
    small.boot()
    await start_counter("one")
    await start_counter("two")
    loop = asyncio.get_running_loop()
    first: asyncio.Future[None] = loop.create_future()
    second: asyncio.Future[None] = loop.create_future()
    old = asyncio.create_task(ask("one", "wait", first))
    await eventually(lambda: running("one"))

    assert (await small.install("2")).outcome == "installed"
    new = asyncio.create_task(ask("two", "wait", second))
    await eventually(lambda: live_processes.running_code("two")[2]["__vsn__"] == "c2")
    assert (await small.install("1")).outcome == "installed"
    first.set_result(None)
    second.set_result(None)
    assert await old == "c1"
    assert await new == "c2"
    assert await ask("one", "version") == "c1"
    assert await ask("two", "version") == "c1"


async def test_an_aborted_install_names_what_was_applied_and_undone_and_what_a_call_waited_for(
    small: SmallNode,
) -> None:
    functions = """
import asyncio
done = []
def prepare():
    done.append("prepared")
def undo():
    done.append("undone")
async def wait():
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError as error:
        error.add_note("the door is still open")
        raise
"""
    before_bar = """
        { apply = "shop.steps:prepare", undo = "shop.steps:undo" }, { apply = "shop.steps:wait" },
        { point_of_no_return = true },
"""
    update = UPDATE_COUNTER.replace("extra =", "timeout = 0.05, extra =")
    small.write("1", {"shop.counter": COUNTER, "shop.steps": functions})
    small.write(
        "2",
        {"shop.counter": COUNTER_2, "shop.steps": functions},
        update.replace("instructions = [", f"instructions = [{before_bar}"),
    )
    small.boot()
    await start_counter("one")
    aborted = await small.install("2", unrehearsed=True)
    assert aborted.outcome == "aborted"
    assert aborted.error is not None
    assert aborted.error.endswith("the function has not ended within 0.05 s; the door is still open")
    assert aborted.warnings == ("shop.steps:prepare was applied and undone.",)
    assert importlib.import_module("shop.steps").done == ["prepared", "undone"]


async def test_a_process_that_cannot_be_held_aborts_the_install_and_is_named(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, UPDATE_COUNTER.replace("extra =", "timeout = 0.05, extra ="))
    small.boot()
    await start_counter("busy")
    await start_counter("idle")
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(ask("busy", "wait", gate))
    await eventually(lambda: running("busy"))

    aborted = await small.install("2")

    assert aborted.outcome == "aborted"
    assert aborted.error is not None
    assert aborted.error.startswith("busy <")
    assert "has not ended its callback" in aborted.error
    assert await ask("idle", "version") == "c1"
    gate.set_result(None)
    assert await waiting == "c1"
    assert (await small.install("2")).outcome == "installed"

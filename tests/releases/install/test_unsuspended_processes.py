"""Scripts that wait after the switch: whoever runs a loaded or removed module handles nothing until the resume."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from node_runtime import (
    application,
    call,
    call_within,
    cast,
    gen_server,
    process_info,
    spawn,
    supervisor,
    whereis,
)
from node_runtime.behaviours.upgrade import live_processes
from node_runtime.code import Source
from tests.support.projects.small_shop import COUNTER, COUNTER_2, ONLY_LIVE
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

STEPS = (
    ONLY_LIVE
    + """
import asyncio
from node_runtime import application, call, call_now, cast
from shop.counter import Counter

async def breathe():
    for _ in range(20):
        await asyncio.sleep(0)

def fail():
    if live():
        raise RuntimeError("on purpose")

async def open_gate():
    if live():
        gate.set_result(None)
    await breathe()

async def wait_for_gate():
    if live():
        began.set()
        await gate

async def ask():
    application.set_env("shop", "asked", await call("counter", Counter.version))
    cast("counter", Counter.add)

async def ask_now():
    if live():
        application.set_env("shop", "asked", call_now("counter", Counter.version))

"""
)

TOP = """
from node_runtime import ChildSpec, Supervisor, gen_server
from shop.extra import Extra

class Top(Supervisor):
    intensity = 0

    def children(self):
        return [ChildSpec("extra", start="shop.extra:start_link")]
"""

TOP_2 = TOP.replace("from shop.extra import Extra\n", "").replace(
    '[ChildSpec("extra", start="shop.extra:start_link")]', "[]"
)

EXTRA = COUNTER.replace("Counter", "Extra") + (
    """
async def start_link():
    from node_runtime import gen_server
    return await gen_server.start_link(Extra, name="extra")
"""
)


def script(*steps: str) -> str:
    return f'[[up]]\nfrom = "1"\ninstructions = [{", ".join(steps)}]\n'


def apply(function: str) -> str:
    return f'{{ apply = "shop.steps:{function}" }}'


LOAD = '{ load_module = "shop.counter" }'


class Traffic:
    """Calls the counter, and casts to it, in each turn of the event loop; `answers` has the versions that answered."""

    def __init__(self, name: str = "counter") -> None:
        self.name = name
        self.answers: list[str] = []
        self.casts = 0
        self.asking: list[asyncio.Task[None]] = []

    async def flow(self) -> None:
        while True:
            self.asking.append(asyncio.create_task(self.ask()))
            cast(self.name, self.method("add"))
            self.casts += 1
            await asyncio.sleep(0)

    async def cast_only(self) -> None:
        while True:
            cast(self.name, self.method("add"))
            await asyncio.sleep(0)

    async def ask(self) -> None:
        version, idle = self.method("version"), process_info(self.name).status == "idle"
        # An idle server answers `call` in this turn; a busy one may need more than its 5 s on a busy machine.
        self.answers.append(await (call(self.name, version) if idle else call_within(None, self.name, version)))

    def method(self, name: str) -> Any:
        return getattr(importlib.import_module("shop.counter").Counter, name)


@asynccontextmanager
async def traffic(name: str = "counter") -> AsyncIterator[Traffic]:
    flowing = Traffic(name)
    task = asyncio.create_task(flowing.flow())
    try:
        yield flowing
    finally:
        task.cancel()
        await asyncio.gather(*flowing.asking)


async def start_counter(small: SmallNode, *steps: str) -> None:
    modules = {"shop.counter": COUNTER, "shop.steps": STEPS}
    small.write("1", modules)
    small.write("2", modules | {"shop.counter": COUNTER_2}, script(*steps))
    small.boot()
    await gen_server.start(importlib.import_module("shop.counter").Counter, name="counter")


async def test_nobody_is_answered_by_the_new_version_of_an_install_that_is_put_back(small: SmallNode) -> None:
    await start_counter(small, LOAD, apply("breathe"), apply("fail"))
    state = live_processes.raw_state("counter")
    async with traffic() as flowing:
        operation = await small.install("2")
    assert operation.outcome == "put back"
    assert set(flowing.answers) == {"c1"}
    assert live_processes.raw_state("counter") is state
    assert state == {"count": flowing.casts}


async def test_the_new_version_answers_from_the_resume_on(small: SmallNode) -> None:
    await start_counter(small, LOAD, apply("breathe"))
    async with traffic() as flowing:
        operation = await small.install("2")
        await eventually(lambda: flowing.answers[-1:] == ["c2"])
    assert operation.outcome == "installed"
    assert flowing.answers == sorted(flowing.answers)
    (result,) = operation.results
    assert (result.action, result.seconds > 0) == ("load", True)


async def test_a_process_of_a_removed_module_ends_before_it_handles_a_message(
    small: SmallNode, caplog: pytest.LogCaptureFixture
) -> None:
    steps = (
        '{ delete_module = "shop.extra" }',
        apply("breathe"),
        '{ apply = "node_runtime.supervisor:terminate_child", args = ["top", "extra"] }',
        '{ apply = "node_runtime.supervisor:delete_child", args = ["top", "extra"] }',
        '{ update = "shop.top", type = "supervisor" }',
        apply("breathe"),
    )
    small.write("1", {"shop.counter": COUNTER, "shop.steps": STEPS, "shop.top": TOP, "shop.extra": EXTRA})
    small.write("2", {"shop.counter": COUNTER, "shop.steps": STEPS, "shop.top": TOP_2}, script(*steps))
    small.boot()
    await supervisor.start_link(importlib.import_module("shop.top").Top, name="top")
    task = asyncio.create_task(Traffic("extra").cast_only())
    operation = await small.install("2")
    task.cancel()
    assert (operation.outcome, operation.error) == ("installed", None)
    assert (whereis("top") is not None, whereis("extra")) == (True, None)
    assert [record.message for record in caplog.records if "LookupError" in record.getMessage()] == []


async def test_nothing_is_suspended_while_an_instruction_before_the_point_of_no_return_waits(small: SmallNode) -> None:
    steps = apply("wait_for_gate"), "{ point_of_no_return = true }", '{ update = "shop.counter" }'
    await start_counter(small, *steps)
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    began = asyncio.Event()
    vars(importlib.import_module("shop.steps")).update(gate=gate, began=began)
    installing = asyncio.create_task(small.install("2"))
    await began.wait()
    counter = importlib.import_module("shop.counter").Counter
    assert process_info("counter").status == "idle"
    assert await call("counter", counter.add) == 1
    gate.set_result(None)
    operation = await installing
    assert operation.outcome == "installed"
    assert await call("counter", counter.version) == "c2"


async def test_a_busy_process_delays_nothing_and_is_held_when_its_callback_ends(small: SmallNode) -> None:
    await start_counter(small, LOAD, apply("open_gate"), apply("fail"))
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    vars(importlib.import_module("shop.steps"))["gate"] = gate
    counter = importlib.import_module("shop.counter").Counter
    waiting = asyncio.create_task(call_within(None, "counter", counter.wait, gate))
    await eventually(lambda: process_info("counter").status == "running")
    async with traffic() as flowing:
        operation = await small.install("2")
    assert operation.outcome == "put back"
    assert await waiting == "c1"
    assert set(flowing.answers) == {"c1"}
    assert live_processes.raw_state("counter") == {"count": flowing.casts}


@pytest.mark.parametrize("is_held", [False, True])
async def test_an_async_callback_that_has_not_begun_at_the_switch_begins_in_the_new_code(
    small: SmallNode, is_held: bool
) -> None:
    asking = """
        from node_runtime import GenServer
        from shop import names

        class Asker(GenServer[list]):
            def init(self):
                return []

            async def ask(self):
                self.state.append(names.NAME())
    """
    for vsn, name in (("1", "first"), ("2", "second")):
        small.write(
            vsn, {"shop.asker": asking.replace("NAME", name), "shop.names": f"def {name}():\n    return '{name}'"}
        )
    small.boot()
    asker = importlib.import_module("shop.asker").Asker
    pid = await gen_server.start(asker, name="asker")
    files = {module: str(small.root / f"lib/shop-2/src/shop/{module}.py") for module in ("asker", "names")}
    batch = small.code.prepare([Source(f"shop.{module}", path, "shop", "2") for module, path in files.items()])
    cast("asker", asker.ask)
    cast("asker", asker.ask)
    await asyncio.sleep(0)  # the process has taken the first message, and its task has not run yet
    assert process_info(pid).status == "running"
    batch.commit()
    if is_held:
        hold = live_processes.Hold("the install")
        hold.hold_without_waiting(frozenset({"shop.asker"}))
        await eventually(lambda: process_info(pid).status == "suspended")
        assert live_processes.raw_state("asker") == []
        hold.release()
    await eventually(lambda: live_processes.raw_state("asker") == ["second", "second"])


async def test_a_callback_that_outlasts_the_install_ends_in_its_version(small: SmallNode) -> None:
    await start_counter(small, LOAD, apply("breathe"))
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    counter = importlib.import_module("shop.counter").Counter
    waiting = asyncio.create_task(call_within(None, "counter", counter.wait, gate))
    await eventually(lambda: process_info("counter").status == "running")
    assert (await small.install("2")).outcome == "installed"
    gate.set_result(None)
    assert await waiting == "c1"
    assert await call("counter", counter.version) == "c2"
    assert process_info("counter").status == "idle"


@pytest.mark.parametrize("asked", ["ask", "ask_now"])
async def test_a_held_process_answers_the_script_in_the_version_that_the_script_has_loaded(
    small: SmallNode, asked: str
) -> None:
    await start_counter(small, LOAD, apply("breathe"), apply(asked), apply("breathe"))
    assert (await small.install("2", unrehearsed=True)).outcome == "installed"
    assert application.get_env("shop", "asked") == "c2"
    assert await call("counter", importlib.import_module("shop.counter").Counter.version) == "c2"


async def test_a_process_that_answered_the_script_returns_to_the_old_version(small: SmallNode) -> None:
    await start_counter(small, LOAD, apply("ask"), apply("fail"))
    assert (await small.install("2", unrehearsed=True)).outcome == "put back"
    assert application.get_env("shop", "asked") is None
    assert await call("counter", importlib.import_module("shop.counter").Counter.version) == "c1"


async def test_a_busy_process_answers_the_script_after_its_callback(small: SmallNode) -> None:
    await start_counter(small, LOAD, apply("open_gate"), apply("ask"))
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    vars(importlib.import_module("shop.steps"))["gate"] = gate
    counter = importlib.import_module("shop.counter").Counter
    waiting = asyncio.create_task(call_within(None, "counter", counter.wait, gate))
    await eventually(lambda: process_info("counter").status == "running")
    assert (await small.install("2", unrehearsed=True)).outcome == "installed"
    assert await waiting == "c1"
    assert application.get_env("shop", "asked") == "c2"


async def test_coroutines_which_cannot_be_held_are_named_by_plan_and_result(small: SmallNode) -> None:
    runner = (
        "\nasync def run():\n    global turns\n    import asyncio\n    await asyncio.Event().wait()\n    turns = 1\n"
    )
    small.write("1", {"shop.counter": COUNTER + runner, "shop.steps": STEPS})
    small.write("2", {"shop.counter": COUNTER_2 + runner, "shop.steps": STEPS}, script(LOAD, apply("breathe")))
    handler = small.boot()
    pids = [spawn(importlib.import_module("shop.counter").run) for _ in range(5)]
    sentence = (
        f"{pids[0]}, {pids[1]}, {pids[2]} and 2 more run coroutines of shop.counter, "
        "which can't be suspended and continue in the old version. Only the old version sees what they assign to "
        "shop.counter.turns after the upgrade."
    )
    assert sentence in (await handler.plan("2")).warnings
    operation = await small.install("2")
    assert operation.outcome == "installed"
    told = {result.pid: result.reason for result in operation.results}
    assert set(told) == set(map(int, pids))
    assert set(told.values()) == {
        "it runs a coroutine, which can't be suspended; the coroutine continues in the old version"
    }

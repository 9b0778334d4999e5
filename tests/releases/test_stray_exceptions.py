"""Any exception and any delay in a release's code: an operation ends, and reports its outcome."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest

from node_runtime import application, call, gen_server, is_alive, runtime
from node_runtime.behaviours.upgrade import deferred_exits
from tests.support.matrix import matrix
from tests.support.projects.small_shop import COUNTER, COUNTER_2, LOAD_COUNTER, ONLY_LIVE
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from node_runtime.releases.release_handler import ReleaseHandler
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

RAISED = ["SystemExit(3)", "KeyboardInterrupt()", "__import__('asyncio').CancelledError()", "GeneratorExit()"]
APP = """
import asyncio
from node_runtime import Application, Supervisor, supervisor

class Top(Supervisor):
    def children(self):
        return []

class Shop(Application):
    async def start(self, start_type, args):
        return await supervisor.start_link(Top)

    async def config_change(self, changed, new, removed):
        raise {raised}

    async def health(self):
        raise {raised}
"""


def steps(*instructions: str) -> str:
    return LOAD_COUNTER.replace("} ]", "}, " + ", ".join(instructions) + " ]", 1)


async def two(small: SmallNode, functions: str, script: str) -> ReleaseHandler:
    small.write("1", {"shop.counter": COUNTER, "shop.steps": functions})
    small.write("2", {"shop.counter": COUNTER_2, "shop.steps": functions}, script)
    handler = small.boot()
    runtime().on_halt = lambda reason: None
    await gen_server.start(importlib.import_module("shop.counter").Counter, name="counter")
    return handler


async def running_version() -> str:
    return await call("counter", importlib.import_module("shop.counter").Counter.version)


@pytest.mark.parametrize(("raised", "word"), matrix(RAISED, ["def", "async def"]))
async def test_any_exception_of_an_applied_function_reverts_the_install(
    small: SmallNode, raised: str, word: str
) -> None:
    await two(
        small,
        f"{ONLY_LIVE}{word} fail():\n    if live():\n        raise {raised}\n",
        steps('{ apply = "shop.steps:fail" }'),
    )
    operation = await small.install("2")
    kind = raised.removeprefix("__import__('asyncio').").partition("(")[0]
    assert operation.outcome == "put back"
    assert str(operation.error).startswith(f"instruction 4, apply shop.steps:fail(): {kind}")
    assert await running_version() == "c1"
    assert "There is no way" not in str((await small.handler.plan("2")).blockers)


@pytest.mark.parametrize("raised", RAISED)
async def test_any_exception_of_an_undo_is_reported(small: SmallNode, raised: str) -> None:
    fail = "def fail():\n    if live():\n        raise RuntimeError('on purpose')\n"
    functions = f"{ONLY_LIVE}def act(): pass\n{fail}async def undo():\n    if live():\n        raise {raised}\n"
    script = steps('{ apply = "shop.steps:act", undo = "shop.steps:undo" }', '{ apply = "shop.steps:fail" }')
    await two(small, functions, script)
    operation = await small.install("2")
    assert operation.outcome == "partly put back"
    assert "apply shop.steps:fail(): RuntimeError: on purpose; not put back: shop.steps:undo: " in str(operation.error)
    assert await running_version() == "c1"


async def test_an_applied_function_that_takes_too_long_is_named(small: SmallNode) -> None:
    functions = "import asyncio\nasync def wait(): await asyncio.Event().wait()\n"
    script = steps(
        '{ suspend = [["shop.steps", 0.05]] }', '{ apply = "shop.steps:wait" }', '{ resume = ["shop.steps"] }'
    )
    await two(small, functions, script)
    operation = await small.install("2")
    assert operation.outcome == "put back"
    assert operation.error == (
        "instruction 5, apply shop.steps:wait(): TimeoutError: the function has not ended within 0.05 s"
    )


@pytest.mark.parametrize("raised", RAISED)
async def test_any_exception_during_a_load_is_a_blocker(small: SmallNode, raised: str) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": f"{COUNTER_2}\nraise {raised}\n"}, LOAD_COUNTER)
    small.boot()
    assert "shop.counter can't be loaded" in (await small.handler.plan("2")).blockers[0].reason
    operation = await small.install("2")
    assert operation.outcome == "aborted"
    assert "shop.counter can't be loaded" in str(operation.error)


@pytest.mark.parametrize("raised", RAISED)
async def test_any_exception_of_an_application_afterwards_does_not_prevent_its_probation(
    small: SmallNode, raised: str
) -> None:
    modules = {"shop.counter": COUNTER, "shop.app": APP.format(raised=raised)}
    small.write("1", modules, mod="shop.app:Shop", env="size = 1")
    newer = {**modules, "shop.counter": COUNTER_2}
    small.write("2", newer, LOAD_COUNTER, mod="shop.app:Shop", env="size = 2", probation="healthy = 0.1\nlag = 30.0")
    handler = small.boot()
    await application.start("shop")
    operation = await small.install("2")
    assert (operation.outcome, handler.vsn) == ("installed", "2")

    def finding() -> str:
        health = handler.releases()[1].health
        return "" if health is None else health.finding

    await eventually(lambda: "the health of shop is unknown" in finding())


async def test_an_application_that_never_returns_does_not_keep_an_operation_from_ending(
    small: SmallNode, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(deferred_exits, "EXIT_TIMEOUT_SECONDS", 0.05)
    lingering = APP.replace(
        "async def config_change", "async def prep_stop(self):\n        await GATE.wait()\n\n    async def _"
    )
    modules = {
        "shop.counter": COUNTER,
        "shop.app": lingering.replace("class Top", "GATE = asyncio.Event()\n\nclass Top"),
    }
    modules["shop.app"] = modules["shop.app"].format(raised="KeyError")
    small.write("1", modules, mod="shop.app:Shop")
    stop = '{ apply = "node_runtime.application:stop", args = ["shop"] }'
    small.write("2", {**modules, "shop.counter": COUNTER_2}, steps(stop), mod="shop.app:Shop")
    handler = small.boot()
    await application.start("shop")
    top = application.which_applications()[0].top
    assert top is not None
    operation = await small.install("2")
    assert (operation.outcome, handler.vsn, is_alive(top)) == ("installed", "2", True)
    slow = "the stop of application shop, which an upgrade has deferred, has taken more than 0.05 s"
    assert f"{slow}; it continues in the background" in caplog.text
    importlib.import_module("shop.app").GATE.set()
    await eventually(lambda: not is_alive(top))

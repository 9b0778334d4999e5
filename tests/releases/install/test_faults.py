"""A fault at every instruction of a script, under calls from outside: each time the node is exactly as before."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from node_runtime import application, call, gen_statem, runtime, supervisor, web, whereis
from node_runtime.behaviours.upgrade import live_processes
from node_runtime.web.app import APPLICATION
from tests.support.projects.faulty_shop import DESK_2, EXTRA, FAIL, FIRST, LAMP_2, SCRIPT, SECOND, TOP_2, appup
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

SERVED = ("desk", "helper", "gone", "second", "loner", "idler", "room", "lamp")


@pytest.fixture
async def shop(small: SmallNode) -> AsyncIterator[SmallNode]:
    """Release 1 of the shop, running as an application."""
    small.write("1", FIRST, mod="shop.app:App", env='colour = "red"')
    small.boot()
    application.load(APPLICATION)
    await application.start("web")
    await application.start("shop", "permanent")
    for module in ("shop.extinct", "shop.steps"):
        importlib.import_module(module)
    application.load(application.AppSpec("annex", "1", mod="shop.annex:Annex"))
    await application.start("annex", "permanent")
    runtime().on_halt = lambda reason: pytest.fail(f"the node halts: {reason}")
    yield small
    await application.stop("annex")
    await application.stop("shop")
    await application.stop("web")


def write(small: SmallNode, vsn: str, steps: tuple[str, ...], **modules: str) -> None:
    changed = {f"shop.{name}": text for name, text in modules.items()}
    script = appup(*steps).replace("VSN", vsn)
    small.write(vsn, {**SECOND, **changed}, script, mod="shop.app:App", env='colour = "blue"')
    small.new_handler("1")


class Callers:
    """Call every server every millisecond, each with a new number, without waiting for earlier replies."""

    def __init__(self) -> None:
        self.numbers = count(1)
        self.answered: dict[str, list[int]] = {name: [] for name in SERVED}
        self.asked: list[asyncio.Task[None]] = []
        self.over = False

    async def ask_all(self) -> None:
        while not self.over:
            self.asked += [asyncio.create_task(self.ask(name, next(self.numbers))) for name in SERVED]
            await asyncio.sleep(0.001)
        await asyncio.gather(*self.asked)

    async def ask(self, name: str, number: int) -> None:
        if name == "lamp":
            answer = await gen_statem.call(name, number)
        else:
            answer = (await call(name, sys.modules["shop.desk"].Desk.serve, number))[0]
        assert answer == number
        self.answered[name].append(number)


@asynccontextmanager
async def callers() -> AsyncIterator[Callers]:
    """Callers whose every request has a reply when they end."""
    asking = Callers()
    task = asyncio.create_task(asking.ask_all())
    try:
        await eventually(lambda: all(asking.answered.values()), what="the first answers")
        yield asking
    finally:
        asking.over = True
        await task
    assert len(asking.asked) == sum(map(len, asking.answered.values()))


def seen(name: str) -> list[int]:
    state: Any = live_processes.raw_state(whereis(name) or 0)
    noted: list[int] = (state[1] if name == "lamp" else state)["seen"]
    return noted


class Identical:
    """A wrapper that equals only the same object, and keeps it alive so that its id is not reused."""

    def __init__(self, thing: object) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identical) and self.thing is other.thing

    def __hash__(self) -> int:
        return id(self.thing)

    def __repr__(self) -> str:
        return f"{type(self.thing).__name__} at {id(self.thing):#x}: {self.thing!r:.200}"


def picture(small: SmallNode) -> dict[str, Any]:
    """Everything that must be unchanged."""
    node = runtime()
    states = {}
    for pid, process in node.processes.items():
        state = live_processes.raw_state(pid)
        data = (state[0], Identical(state[1])) if process.kind == "gen_statem" else Identical(state)
        states[pid] = process.name, process.status, data, Identical(live_processes.running_code(pid)[2])
    modules = {name: Identical(module.__dict__) for name, module in sys.modules.items() if name.startswith("shop")}
    running = [(one.spec.name, one.spec.vsn, one.type, one.master, one.top) for one in application.which_applications()]
    return {
        "states": states,
        "names": {name: process.pid for name, process in node.names.items()},
        "modules": modules,
        "versions": {name: version.vsn for name in modules if (version := small.code.versions(name)[0]) is not None},
        "children": {name: supervisor.which_children(name) for name in ("root", "top", "more", "rooms", "web_sup")},
        "links": {pid: sorted(one.pid for one in process.linked()) for pid, process in node.processes.items()},
        "environment": application.get_all_env("shop"),
        "applications": running,
        "specifications": {spec.name: spec for spec in application.loaded_applications()},
        "routes": web.routes("shop"),
        "heard": list(sys.modules["shop.annex"].heard),
        "notes": list(sys.modules["shop.steps"].notes),
        "release": small.handler.vsn,
    }


async def check(shop: SmallNode, vsn: str, outcome: str, *words: str) -> None:
    """Check that an install of `vsn` fails without traces, and that no caller lost a reply meanwhile."""
    before = picture(shop)
    noted = {name: list(seen(name)) for name in SERVED}
    async with callers() as asking:
        operation = await shop.install(vsn)
    assert (operation.outcome, vsn) == (outcome, vsn), operation.error
    for word in words:
        assert word in (operation.error or "")
    after = picture(shop)
    for part, value in before.items():
        assert after[part] == value, (vsn, part)
    for name in SERVED:
        assert sorted(seen(name)[len(noted[name]) :]) == sorted(asking.answered[name]), (vsn, name)


@pytest.mark.slow
async def test_a_fault_after_any_instruction_leaves_everything_as_it_was(shop: SmallNode) -> None:
    for at in range(len(SCRIPT) + 1):
        vsn = f"2.{at}"
        write(shop, vsn, (*SCRIPT[:at], FAIL, *SCRIPT[at:]))
        await check(shop, vsn, "put back", "on purpose")


LIVE = f"__import__('os').getpid() == {os.getpid()}"
"""True in the node itself, false in the copy in which a rehearsal would find the fault before."""

FAULTS: dict[str, Callable[[], dict[str, str]]] = {
    "a code_change that raises": lambda: {
        "desk": DESK_2.replace("return {**", f'assert state["name"] != "helper" or not {LIVE}\n        return {{**')
    },
    "a code_change into nowhere": lambda: {
        "lamp": LAMP_2.replace('"green": "lime"', f'"green": "olive" if {LIVE} else "lime"')
    },
    "children that make no sense": lambda: {"top": TOP_2.replace('"extra"', f'("desk" if {LIVE} else "extra")')},
    "an init that raises": lambda: {"extra": EXTRA.replace('return "new"', "raise ValueError('no extra')")},
}


@pytest.mark.parametrize("fault", list(FAULTS))
async def test_an_instruction_that_fails_by_itself_leaves_everything_as_it_was(shop: SmallNode, fault: str) -> None:
    write(shop, "2", SCRIPT, **FAULTS[fault]())
    await check(shop, "2", "put back")


async def test_without_a_fault_all_of_it_takes_place(shop: SmallNode) -> None:
    write(shop, "2", SCRIPT)
    old = {name: whereis(name) for name in SERVED}
    operation = await shop.install("2")
    assert (operation.outcome, operation.error) == ("installed", None)
    new = {name: whereis(name) for name in SERVED}
    assert {name for name in SERVED if new[name] == old[name]} == {"desk", "lamp"}
    assert [new[name] for name in ("gone", "loner", "idler")] == [None] * 3
    assert [whereis(name) is not None for name in ("extra", "third")] == [True, True]
    assert [pid for pid in old.values() if pid in runtime().processes and pid not in new.values()] == []
    assert [child.id for child in supervisor.which_children("top")] == ["desk", "helper", "lamp", "extra"]
    assert live_processes.raw_state("lamp")[0] == "lime"
    assert await gen_statem.call("lamp", 1) == 1
    for name in ("desk", "helper", "second", "third"):
        assert await call(name, sys.modules["shop.desk"].Desk.serve, 1) == (1, name, "two")
    assert [live_processes.raw_state(whereis(name) or 0).get("new") for name in ("desk", "helper")] == [True, None]
    assert "shop.extinct" not in sys.modules
    assert sys.modules["shop.annex"].heard == ["prep_stop", "stop"]
    assert new["room"] not in (None, old["room"])
    assert [one.spec.name for one in application.which_applications()] == ["web", "shop", "annex"]
    assert application.get_env("shop", "switch") == "on"
    assert len(web.routes("shop")) == 2
    assert all(process.status == "idle" for process in runtime().processes.values() if process.name in SERVED)

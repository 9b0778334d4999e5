"""Before the switch of an upgrade, requests in flight end and new ones wait, so that no request meets both versions."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from node_runtime import application, web
from node_runtime.protocol import messages as m
from node_runtime.web.clients.request_gate import RequestGate
from node_runtime.web.listeners import listeners
from tests.support.waiting import eventually
from tests.support.web.http_client import Client

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

DOORS = """
DOORS = []
"""
SITE = """
import asyncio
from fastapi import FastAPI
from shop.doors import DOORS

app = FastAPI()

@app.get("/")
async def vsn():
    return "{vsn}"

@app.get("/patient")
async def patient():
    DOORS.append(asyncio.Event())
    await DOORS[-1].wait()
    from shop import {imported}
    return "{vsn}"
"""
STEPS = """
from shop.doors import DOORS

def fail():
    if DOORS and DOORS[-1].is_set():  # not yet in the rehearsal
        raise ValueError("on purpose")

def undo():
    pass
"""
LOAD = "{ update = 'shop.site' }"
UP = f"{{ add_module = 'shop.extra' }}, {LOAD}"
DOWN = f"{LOAD}, {{ delete_module = 'shop.extra' }}"
FAILS = f"{LOAD}, {{ apply = 'shop.steps:fail', undo = 'shop.steps:undo' }}"


def write(small: SmallNode, vsn: str, *extra: str, imported: str, appup: str = "") -> None:
    modules = {"shop.doors": DOORS, "shop.steps": STEPS, "shop.site": SITE.format(vsn=vsn, imported=imported)}
    small.write(vsn, modules | dict.fromkeys(extra, ""), appup)


def both(before: str, up: str, down: str) -> str:
    return f'[[up]]\nfrom = "{before}"\ninstructions = [{up}]\n[[down]]\nto = "{before}"\ninstructions = [{down}]\n'


@pytest.fixture
async def shop(small: SmallNode) -> AsyncIterator[SmallNode]:
    """Release 2 of the shop, whose downgrade to 1 removes a module; the upgrade to 3 fails."""
    write(small, "1", imported="doors")
    write(small, "2", "shop.extra", imported="extra", appup=both("1", UP, DOWN))
    write(small, "3", "shop.extra", imported="extra", appup=both("2", FAILS, LOAD))
    small.boot()
    application.load(web.APPLICATION)
    await application.start("web")
    await web.start_asgi("site", "shop.site:app", port=0, timeout_switch=60.0)
    done = await small.install("2")
    assert done.outcome == "installed", done.error
    yield small
    await application.stop("web")


def doors() -> list[asyncio.Event]:
    found: list[asyncio.Event] = sys.modules["shop.doors"].DOORS
    return found


Ask = Callable[[str], Awaitable[asyncio.Task[tuple[int, str]]]]


@pytest.fixture
async def ask(shop: SmallNode) -> AsyncIterator[Ask]:
    """Sends a request on a connection of its own; returns when the server has it, or, for `/`, the answer's task."""
    clients = list[Client]()

    async def asked(path: str) -> asyncio.Task[tuple[int, str]]:
        clients.append(Client(web.port("site")))
        number = len(doors())
        answer = asyncio.create_task(clients[-1].get(path))
        if path == "/patient":
            await eventually(lambda: len(doors()) > number, what="the request")
        return answer

    yield asked
    for client in clients:
        client.close()


async def holding(shop: SmallNode, vsn: str) -> asyncio.Task[m.Operation]:
    """Begin an install, and return when it waits for the requests in flight."""
    phases = list[str]()
    shop.handler.subscribe(lambda operation: phases.append(operation.phase))
    operation = asyncio.create_task(shop.install(vsn))
    await eventually(lambda: "holding" in phases, what="the hold")
    return operation


async def test_a_request_in_flight_ends_before_its_modules_are_removed(shop: SmallNode, ask: Ask) -> None:
    answer = await ask("/patient")
    operation = await holding(shop, "1")
    doors()[-1].set()
    assert await answer == (200, '"2"')
    assert (await operation).outcome == "installed"


@pytest.mark.parametrize(("target", "outcome", "serves"), [("1", "installed", "1"), ("3", "put back", "2")])
async def test_a_request_that_comes_before_the_switch_waits_for_the_version_that_the_install_leaves(
    shop: SmallNode, ask: Ask, target: str, outcome: str, serves: str
) -> None:
    in_flight = await ask("/patient")
    operation = await holding(shop, target)
    waiting = await ask("/")
    await eventually(lambda: len(web.open_requests("site")) == 2, what="the second request")
    doors()[-1].set()
    assert await in_flight == (200, '"2"')
    assert await waiting == (200, f'"{serves}"')
    assert (await operation).outcome == outcome


async def test_a_request_that_does_not_end_delays_an_upgrade_only_for_the_time_of_the_option(
    shop: SmallNode, ask: Ask
) -> None:
    listeners()["site"].options["timeout_switch"] = 0.05
    in_flight = await ask("/patient")
    operation = await holding(shop, "1")
    waiting = await ask("/")
    assert (await operation).outcome == "installed"
    assert await waiting == (200, '"1"')
    doors()[-1].set()
    assert (await in_flight)[0] == 500


async def test_an_abort_lets_the_waiting_requests_begin(shop: SmallNode, ask: Ask) -> None:
    in_flight = await ask("/patient")
    operation = await holding(shop, "1")
    waiting = await ask("/")
    shop.handler.abort(m.Abort(operation=shop.reports[-1].id), "ann")
    assert await waiting == (200, '"2"')
    assert (await operation).outcome == "aborted"
    doors()[-1].set()
    assert await in_flight == (200, '"2"')


async def test_when_many_requests_wait_the_upgrade_goes_on(shop: SmallNode, ask: Ask) -> None:
    listeners()["site"].options["limit_concurrency"] = 4
    in_flight = await ask("/patient")
    operation = await holding(shop, "1")
    waiting = [await ask("/") for _ in range(2)]
    assert (await operation).outcome == "installed"
    assert [await one for one in waiting] == [(200, '"1"')] * 2
    doors()[-1].set()
    assert (await in_flight)[0] == 500


async def test_a_gate_whose_closing_is_cancelled_is_open() -> None:
    gate, endless = RequestGate(), asyncio.create_task(asyncio.Event().wait())
    closing = asyncio.create_task(gate.close([endless], 60.0, 10))
    await eventually(lambda: gate.is_closed, what="the closed gate")
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    endless.cancel()
    assert not gate.is_closed

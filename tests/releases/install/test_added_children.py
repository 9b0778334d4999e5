"""Children that an upgrade starts and that fail to start: the install is put back, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import importlib
import textwrap
from typing import TYPE_CHECKING

import pytest

from node_runtime import application, gen_server, runtime, supervisor
from node_runtime.behaviours.upgrade import live_processes
from tests.support.projects.small_shop import COUNTER, COUNTER_2, ONLY_LIVE
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

APP = (
    ONLY_LIVE
    + """
import asyncio
from node_runtime import Application, ChildSpec, Supervisor, gen_server, spawn_link, supervisor

class Shop(Application):
    async def start(self, start_type, args):
        return await supervisor.start_link(ShopSup, name="shop_sup")

class ShopSup(Supervisor):
    def children(self):
        return [ChildSpec("counter", start="shop.app:start_counter")]

async def start_counter():
    from shop.counter import Counter
    return await gen_server.start_link(Counter, name="counter")
"""
)
ADDING = (
    APP.replace('start_counter")]', 'start_counter"), ChildSpec("more", start="shop.app:start_more")]')
    + """
async def start_more():
    if live():
        START
    return await gen_server.start_link(More, name="more")

class More(gen_server.GenServer[dict]):
    async def init(self):
        if live():
            INIT
        return {}
"""
)
ADD = '{ update = "shop.app", type = "supervisor" }, { update = "shop.counter" },'
START_MORE = '{ apply = "node_runtime.supervisor:restart_child", args = ["shop_sup", "more"] }'
DOWN = """
    [[down]]
    to = "1"
    instructions = [
        { apply = "node_runtime.supervisor:terminate_child", args = ["shop_sup", "more"] },
        { apply = "node_runtime.supervisor:delete_child", args = ["shop_sup", "more"] },
        { update = "shop.counter" }, { update = "shop.app", type = "supervisor" },
    ]
"""
HANG = "await asyncio.Event().wait()"
HANGS = "TimeoutError: the function has not ended within 0.2 s"


def write(small: SmallNode, vsn: str, app: str, up: str) -> None:
    appup = f'[[up]]\nfrom = "1"\ninstructions = [ {up} ]\n{textwrap.dedent(DOWN)}'
    small.write(vsn, {"shop.counter": COUNTER_2, "shop.app": app}, appup, mod="shop.app:Shop")


@pytest.mark.parametrize(
    ("start", "init", "reason"),
    [
        ("raise ValueError('no')", "pass", "child 'more' did not start: ValueError: no"),
        (HANG, "pass", HANGS),
        ("pass", "raise SystemExit(3)", "child 'more' did not start: SystemExit: 3"),
        ("pass", HANG, HANGS),
        ("pass", "spawn_link(asyncio.Event().wait); raise KeyboardInterrupt", "did not start: KeyboardInterrupt"),
    ],
)
async def test_an_install_whose_new_child_fails_to_start_is_put_back(
    small: SmallNode, start: str, init: str, reason: str
) -> None:
    small.write("1", {"shop.counter": COUNTER, "shop.app": APP}, mod="shop.app:Shop")
    limited = ADD.replace(" }", ", timeout = 0.2 }")
    write(small, "2", ADDING.replace("START", start).replace("INIT", init), f"{limited} {START_MORE}")
    write(small, "3", ADDING.replace("START", "pass").replace("INIT", "pass"), f"{ADD} {START_MORE}")
    small.boot()
    await application.start("shop")
    await gen_server.call("counter", importlib.import_module("shop.counter").Counter.add)
    before = set(runtime().processes), dict(runtime().names), supervisor.which_children("shop_sup")
    tasks = asyncio.all_tasks()
    operation = await small.install("2", unrehearsed=True)
    assert (operation.outcome, reason in str(operation.error)) == ("put back", True), operation.error
    assert (set(runtime().processes), dict(runtime().names), supervisor.which_children("shop_sup")) == before
    await eventually(lambda: asyncio.all_tasks() <= tasks, what="the end of the tasks of the install")
    assert (await small.install("3")).outcome == "installed"
    assert [child.id for child in supervisor.which_children("shop_sup")] == ["counter", "more"]
    assert (await small.roll_back()).outcome == "reverted"
    assert live_processes.raw_state("counter") == {"count": 1}
    await application.stop("shop")


@pytest.mark.parametrize(
    "instructions",
    [
        '{ restart_child = "counter", supervisor = "shop_sup" }',
        '{ stop = ["shop.counter"] }, { start = ["shop.counter"] }',
    ],
)
async def test_a_start_function_that_hangs_does_not_keep_the_processes_suspended(
    small: SmallNode, instructions: str
) -> None:
    hanging = APP.replace("start_counter():\n", f"start_counter():\n    if live():\n        {HANG}\n")
    small.write("1", {"shop.counter": COUNTER, "shop.app": APP}, mod="shop.app:Shop")
    limited = ADD.replace(" }", ", timeout = 0.2 }")
    write(small, "2", hanging, f"{limited} {instructions}")
    small.boot()
    await application.start("shop")
    operation = await asyncio.wait_for(small.install("2", unrehearsed=True), 60)
    assert (operation.outcome, "has not started within 0.2 s" in str(operation.error)) == ("put back", True)
    assert await gen_server.call("counter", importlib.import_module("shop.counter").Counter.version) == "c1"
    await application.stop("shop")

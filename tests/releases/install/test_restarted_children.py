"""The instruction restart_child: a child without callbacks runs the new code, or after a failure the old code anew."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest

from node_runtime import application, supervisor
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

APP = """
from node_runtime import Application, ChildSpec, Supervisor, supervisor

class Shop(Application):
    async def start(self, start_type, args):
        return await supervisor.start_link(ShopSup, name="shop_sup")

class ShopSup(Supervisor):
    def children(self):
        return [
            ChildSpec("site", start="shop.site:run", type="task"),
            ChildSpec("guest", start="shop.site:visit", type="task", restart="temporary"),
        ]
"""
DOOR = """
import os
NODE = os.getpid()
open_for = []

def fail():
    if os.getpid() == NODE:
        raise ValueError("closed")
"""
SITE = """
import asyncio
from shop import door

VERSION = "1"

async def run():
    assert not door.open_for, "two sites want the same port"
    door.open_for.append(VERSION)
    try:
        await asyncio.Event().wait()
    finally:
        door.open_for.clear()

async def visit():
    await asyncio.Event().wait()
"""
LOAD = '{ load_module = "shop.site" }'
RESTART = '{ restart_child = "site", supervisor = "shop_sup" }'


def script(*up: str) -> str:
    return f"""
        [[up]]
        from = "1"
        instructions = [ {", ".join(up)} ]
        [[down]]
        to = "1"
        instructions = [ {LOAD}, {RESTART} ]
    """


async def serves(small: SmallNode, *up: str) -> list[str]:
    """Boot release 1, whose site is open; release 2 has the script. Returns the list of who has opened the door."""
    modules = {"shop.app": APP, "shop.door": DOOR, "shop.site": SITE}
    small.write("1", modules, mod="shop.app:Shop")
    small.write("2", {**modules, "shop.site": SITE.replace('"1"', '"2"')}, script(*up), mod="shop.app:Shop")
    small.boot()
    await application.start("shop")
    door: list[str] = importlib.import_module("shop.door").open_for
    await eventually(lambda: door == ["1"])
    return door


async def opened_by(door: list[str], vsn: str) -> None:
    await eventually(lambda: door == [vsn])


async def test_the_plan_proposes_the_instruction_and_with_it_the_site_moves_up_and_down(small: SmallNode) -> None:
    door = await serves(small, RESTART, LOAD)
    plan = await small.handler.plan("2")
    assert plan.blockers == ()
    assert plan.instructions[-1] == "restart the child site of shop_sup in the new code"
    assert [one for one in plan.processes if one.action == "stop" and one.kind == "task"] != []
    assert not any("site" in sentence and "shop.site:run" in sentence for sentence in plan.warnings)
    for vsn in ("2", "1"):
        operation = await small.install(vsn)
        assert (operation.outcome, operation.error) == ("installed", None)
        await opened_by(door, vsn)
    await application.stop("shop")


async def test_without_it_the_plan_names_the_child_and_proposes_it(small: SmallNode) -> None:
    await serves(small, LOAD)
    said = " ".join((await small.handler.plan("2")).warnings)
    assert RESTART in said
    assert '"guest"' not in said
    await application.stop("shop")


async def test_after_a_failure_the_child_runs_again_in_the_old_code(small: SmallNode) -> None:
    door = await serves(small, LOAD, RESTART, '{ apply = "shop.door:fail" }')
    before = [child.pid for child in supervisor.which_children("shop_sup")]
    operation = await small.install("2", unrehearsed=True)
    assert operation.outcome == "put back"
    await eventually(lambda: door == ["1"])
    site, guest = supervisor.which_children("shop_sup")
    assert (site.status, guest.pid, site.pid == before[0]) == ("running", before[1], False)
    assert site.restarts == 0
    await application.stop("shop")


@pytest.mark.parametrize(
    ("instruction", "reason"),
    [
        (RESTART.replace('"site"', '"sight"'), "shop_sup has no child sight, but the script restarts that child"),
        (RESTART.replace("shop_sup", "no_sup"), "no supervisor is named no_sup, but the script restarts that child"),
        (RESTART.replace('"site"', '"guest"'), "shop_sup can't start its child guest again, since it is temporary"),
    ],
)
async def test_a_child_that_cannot_be_started_again_is_a_blocker(
    small: SmallNode, instruction: str, reason: str
) -> None:
    await serves(small, LOAD, instruction)
    (blocker,) = (await small.handler.plan("2")).blockers
    assert blocker.reason.startswith(reason)
    await application.stop("shop")

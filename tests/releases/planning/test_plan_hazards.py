"""Hazards of a load are in the plan: as a warning, or as a blocker with the remedy."""

from __future__ import annotations

import asyncio
import importlib
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from node_runtime import Pid, is_alive, process_info, spawn
from node_runtime.protocol import messages as m
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

LOAD_BASE = """
    [[up]]
    from = "1"
    instructions = [ { load_module = "shop.base" } ]
    [[down]]
    to = "1"
    instructions = [ { load_module = "shop.base" } ]
"""
LOAD_BOTH = LOAD_BASE.replace("instructions = [ ", 'instructions = [ { load_module = "shop.counter" }, ')
BASE = (
    "from node_runtime import GenServer\nclass Base(GenServer[dict]):\n    def init(self):\n        return {}\nN = 1\n"
)
DERIVED = "from shop.base import Base\nclass Counter(Base):\n    def add(self):\n        return 1\n"


def edit(file: str) -> None:
    Path(file).write_text("X = 3\n")


async def test_a_class_that_another_module_derives_from_is_a_blocker(small: SmallNode) -> None:
    small.write("1", {"shop.base": BASE, "shop.counter": DERIVED})
    small.write("2", {"shop.base": BASE + "X = 2\n", "shop.counter": DERIVED}, LOAD_BASE)
    handler = small.boot()
    importlib.import_module("shop.counter")
    (blocker,) = (await handler.plan("2")).blockers
    assert blocker.reason == (
        "shop.counter:Counter is based on shop.base:Base, which release 2 replaces without loading shop.counter"
    )
    assert blocker.remedy == "let the appup load shop.counter too"
    assert not blocker.transient


async def test_a_base_class_and_its_derived_classes_may_be_loaded_together(small: SmallNode) -> None:
    small.write("1", {"shop.base": BASE, "shop.counter": DERIVED})
    small.write("2", {"shop.base": BASE + "X = 2\n", "shop.counter": DERIVED}, LOAD_BOTH)
    handler = small.boot()
    importlib.import_module("shop.counter")
    assert (await handler.plan("2")).blockers == ()


async def test_effects_that_cannot_be_undone_or_kept_are_warnings(small: SmallNode) -> None:
    small.write("1", {"shop.base": "def f(): ...\n", "shop.counter": "X = 1\n"})
    small.write("2", {"shop.base": "def f(): ...\nX = 2\n", "shop.counter": "X = 1\n"}, LOAD_BASE)
    handler = small.boot()
    base, counter = importlib.import_module("shop.base"), importlib.import_module("shop.counter")
    assert (await handler.plan("2")).warnings == ()
    vars(base)["f"] = print
    edit(str(counter.__file__))
    assert (await handler.plan("2")).warnings == (
        "shop.base.f was replaced by other code; the new version does not have the replacement.",
        f"The loaded code of shop.counter differs from its file {counter.__file__}.",
    )


WALKER = """
import asyncio

async def walk(gate):
    await gate.wait()
"""


async def plan_without_walker(small: SmallNode, options: str) -> tuple[m.Plan, Pid]:
    small.write("1", {"shop.base": "N = 1\n", "shop.walker": WALKER})
    delete = f'{{ delete_module = "shop.walker"{options} }}'
    small.write("2", {"shop.base": "N = 2\n"}, LOAD_BASE.replace("[ {", f"[ {delete}, {{", 1))
    small.boot()
    pid = spawn(importlib.import_module("shop.walker").walk, asyncio.Event())
    await eventually(lambda: process_info(pid).status == "running")
    return await small.handler.plan("2"), pid


async def test_the_plan_names_the_brutal_purge_that_kills_a_process(
    small: SmallNode,
) -> None:
    plan, pid = await plan_without_walker(small, ', post_purge = "brutal_purge"')
    (one,) = plan.processes
    assert (one.pid, one.action) == (pid, "kill")
    assert one.step is not None
    assert plan.instructions[one.step - 1] == "purge the old code of shop.walker"
    assert is_alive(pid)
    assert (await small.install("2")).outcome == "installed"
    await eventually(lambda: not is_alive(pid), what="the end of who was killed")


async def test_a_soft_purge_kills_nobody_and_the_plan_does_not_say_so(small: SmallNode) -> None:
    plan, pid = await plan_without_walker(small, "")
    assert plan.processes == ()
    assert (await small.install("2")).outcome == "installed"
    assert is_alive(pid)


async def test_a_brutal_pre_purge_which_an_upgrade_does_not_carry_out_is_a_warning(small: SmallNode) -> None:
    small.write("1", {"shop.base": "X = 1\n"})
    brutal = LOAD_BASE.replace('"shop.base" }', '"shop.base", pre_purge = "brutal_purge" }')
    small.write("2", {"shop.base": "X = 2\n"}, brutal)
    handler = small.boot()
    importlib.import_module("shop.base")
    plan = await handler.plan("2")
    assert (plan.blockers, plan.warnings) == (
        (),
        (
            'pre_purge = "brutal_purge" of shop.base has no effect: an upgrade ends nothing that keeps an old version '
            "in use. `hotdash purge NODE MODULE` ends it.",
        ),
    )


async def test_a_reader_of_a_descriptor_that_stays_old_is_a_warning(small: SmallNode) -> None:
    small.write("1", {"shop.base": "def read(): ...\n"})
    small.write("2", {"shop.base": "def read(): ...\nX = 2\n"}, LOAD_BASE)
    handler = small.boot()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        asyncio.get_running_loop().add_reader(ours, importlib.import_module("shop.base").read)
        (warning,) = (await handler.plan("2")).warnings
        asyncio.get_running_loop().remove_reader(ours)
        assert warning.startswith(f"The event loop's reader of descriptor {ours.fileno()} is still a function of the")


async def test_a_registry_that_refuses_what_it_has_already_is_a_blocker_with_a_remedy(small: SmallNode) -> None:
    registry = (
        "SEEN = []\ndef add(name):\n    if name in SEEN:\n        raise ValueError(name)\n    SEEN.append(name)\n"
    )
    user = "import shop.counter\nshop.counter.add('tea')\nN = {n}\n"
    small.write("1", {"shop.counter": registry, "shop.base": user.format(n=1)})
    small.write("2", {"shop.counter": registry, "shop.base": user.format(n=2)}, LOAD_BASE)
    handler = small.boot()
    importlib.import_module("shop.base")
    (blocker,) = (await handler.plan("2")).blockers
    assert "list its container in `__registries__` of shop.counter, and let the appup load it" in blocker.remedy

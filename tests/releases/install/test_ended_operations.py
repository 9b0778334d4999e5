"""An ended operation keeps no code alive, so that the next release can be installed."""

from __future__ import annotations

import gc
import importlib
import sys
import weakref
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

import pytest

from node_runtime import application, call, gen_server
from node_runtime.code.old.old_versions import MIN_DROPPED
from tests.support.projects.small_shop import COUNTER, COUNTER_2, FAILING, LOAD_COUNTER, UPDATE_COUNTER

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
            return [CHILDREN]
    """
SUP = APP.replace("[CHILDREN]", "[]")
SUP_2 = APP.replace("[CHILDREN]", '[ChildSpec("till", start="shop.till:start_link", shutdown=60.0)]')
TILL = """
    from node_runtime import GenServer, gen_server

    async def start_link():
        return await gen_server.start_link(Till, name="till")

    class Till(GenServer[int]):
        def init(self):
            return 0

        async def count(self):
            self.state += 1
            return Receipt(self.state)

        def slip(self):
            raise ValueError("slipped")

    class Receipt:
        def __init__(self, number):
            self.number = number
    """
CHANGES = """
    [[up]]
    from = "1"
    instructions = [
      { add_module = "shop.till" },
      { update = "shop.app", type = "supervisor" },
      { apply = "node_runtime.supervisor:restart_child", args = ["shop_sup", "till"] },
    ]
    [[down]]
    to = "1"
    instructions = [
      { apply = "node_runtime.supervisor:terminate_child", args = ["shop_sup", "till"] },
      { apply = "node_runtime.supervisor:delete_child", args = ["shop_sup", "till"] },
      { update = "shop.app", type = "supervisor" },
      { delete_module = "shop.till" },
    ]
    """


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Without the collector, only reference counts free objects."""
    gc.collect()
    gc.disable()
    yield
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()
    gc.collect()


def write_three(small: SmallNode) -> None:
    """Releases 2 and 3 add a server to release 1, and remove it on the way down; 3 corrects 2."""
    small.write("1", {"shop.app": SUP}, mod="shop.app:Shop")
    small.write("2", {"shop.app": SUP_2, "shop.till": TILL}, CHANGES, mod="shop.app:Shop")
    corrected = TILL.replace("+= 1", "+= 2")
    small.write("3", {"shop.app": SUP_2, "shop.till": corrected}, CHANGES, mod="shop.app:Shop")


async def use_till() -> None:
    """Call the server in its own turn, so that its caller waits with a deadline."""
    await call("till", sys.modules["shop.till"].Till.count)


async def test_after_a_rollback_its_correction_can_be_installed(small: SmallNode, no_collection: None) -> None:
    write_three(small)
    small.boot()
    await application.start("shop")
    for vsn in ("2", "1", "3", "1", "2"):
        assert (await small.handler.plan(vsn)).blockers == ()
        operation = await small.install(vsn)
        assert (operation.outcome, operation.error) == ("installed", None)
        assert [module for module in small.code.modules if small.code.is_old_code_held(module)] == []
        if vsn != "1":
            await use_till()
    await application.stop("shop")


async def test_old_garbage_that_holds_an_old_version_blocks_no_install(small: SmallNode) -> None:
    counter = await two_versions_of_a_counter(small)
    cycle: list[Any] = [counter]
    cycle.append(cycle)
    gc.collect()  # the cycle survives, and is in the oldest generation now
    del cycle, counter
    assert (await small.install("1")).outcome == "installed"
    assert (await small.install("3")).outcome == "installed"


async def test_a_plan_collects_no_garbage_and_tells_how_long_the_install_will(small: SmallNode) -> None:
    counter = await two_versions_of_a_counter(small)
    assert (await small.install("1")).outcome == "installed"
    cycle: list[Any] = [counter]
    cycle.append(cycle)
    alive = weakref.ref(counter)
    gc.collect()
    gc.disable()
    try:
        del cycle, counter
        plan = await small.handler.plan("3")
        assert alive() is not None
    finally:
        gc.enable()
    assert plan.blockers == ()
    assert any(sentence.startswith("Only garbage keeps an old version") for sentence in plan.warnings)
    assert plan.pause is not None
    assert plan.pause > 0
    assert (await small.install("3")).outcome == "installed"


async def test_a_refused_install_names_what_holds_the_old_version(small: SmallNode) -> None:
    small.kept = [await two_versions_of_a_counter(small)]  # type: ignore[attr-defined]  # any object would do
    operation = await small.install("1")
    operation = await small.install("3")
    assert operation.outcome == "aborted"
    assert "shop.counter still has an old version (2): " in str(operation.error)
    assert "holds class shop.counter.Counter" in str(operation.error)


async def two_versions_of_a_counter(small: SmallNode) -> type:
    """Install release 2; 3 is ready. Returns the class of release 2."""
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER)
    small.write("3", {"shop.counter": COUNTER_2 + "FIXED = True"}, LOAD_COUNTER)
    small.boot()
    importlib.import_module("shop.counter")
    assert (await small.install("2")).outcome == "installed"
    found: type = sys.modules["shop.counter"].Counter
    return found


MISPLACED = UPDATE_COUNTER.replace(
    "instructions = [", 'instructions = [ { apply = "node_runtime.supervisor:delete_child", args = ["nobody", "x"] },'
)


@pytest.mark.parametrize("changes", [UPDATE_COUNTER, MISPLACED], ids=["code_change", "apply"])
async def test_a_failed_install_leaves_no_cycles_that_hold_its_code(
    small: SmallNode, no_collection: None, changes: str
) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": FAILING}, changes)
    small.boot()
    counter = importlib.import_module("shop.counter").Counter
    pid = await gen_server.start(counter)
    for _ in range(7):
        await call(pid, counter.add)
    operation = await small.install("2", unrehearsed=True)
    assert operation.outcome == "put back"
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    assert {name for one in gc.garbage if (name := _of_the_installer(one))} == set()


def _of_the_installer(garbage: Any) -> str | None:
    """Return the name of an object that only an install makes; None for all others."""
    frame = garbage.tb_frame if isinstance(garbage, TracebackType) else garbage
    if isinstance(frame, FrameType):
        return frame.f_code.co_qualname if "node_runtime/releases/install" in frame.f_code.co_filename else None
    return type(garbage).__qualname__ if type(garbage).__module__.startswith("node_runtime.releases.install") else None


async def test_dropped_versions_do_not_pile_up_in_a_node_that_does_nothing_else(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER)
    small.write("3", {"shop.counter": COUNTER_2 + "FIXED = True"}, LOAD_COUNTER)
    small.boot()
    importlib.import_module("shop.counter")
    kept: list[weakref.ref[type]] = []
    for vsn in ("2", "1", "3", "1") * 12:
        assert (await small.install(vsn)).outcome == "installed"
        kept.append(weakref.ref(sys.modules["shop.counter"].Counter))
    assert len({id(ref()) for ref in kept if ref() is not None}) <= MIN_DROPPED + 2

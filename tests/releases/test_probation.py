"""What is on probation is watched; when it does badly the node goes back by itself, and remembers that it failed."""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import eventually
from small_shop import COUNTER, COUNTER_2, FAILING, LOAD_COUNTER, UPDATE_COUNTER

from node_runtime import gen_server, runtime, whereis
from node_runtime.behaviours import application, hot
from node_runtime.protocol import messages as m
from node_runtime.protocol.exits import Refused
from node_runtime.releases.handler import ReleaseHandler

if TYPE_CHECKING:
    from small_node import SmallNode

pytest_plugins = ["small_node"]

QUICK = "healthy = 0.1\nrestarts = 1\nerrors = 1\nlag = 0.05\n"

SUPERVISED = (
    COUNTER_2
    + """
    def fall(self):
        raise ValueError("and again")
"""
)

APP = """
from pathlib import Path
from node_runtime import Application, ChildSpec, Supervisor, supervisor

class Top(Supervisor):
    strategy, intensity, period = "one_for_one", 100, 60.0

    def children(self):
        return [ChildSpec("counter", start="shop.app:start_counter")]

async def start_counter():
    from node_runtime import gen_server
    from shop.counter import Counter
    return await gen_server.start_link(Counter, name="counter")

class Shop(Application):
    async def start(self, start_type, args):
        return await supervisor.start_link(Top, name="shop_sup")
"""

WITH_HEALTH = (
    APP
    + """
    async def health(self):
        said = Path("{word}").read_text()
        return {{"good": True, "bad": False, "unknown": None}}[said]
"""
)

BOTH = LOAD_COUNTER.replace('"shop.counter" }', '"shop.counter" }, { load_module = "shop.app" }')


async def two(small: SmallNode, limits: str = QUICK, word: Path | None = None) -> ReleaseHandler:
    """Release 1 runs; 2, whose counter can fall, is here. `word` is where 2 reads how it is."""
    small.write("1", {"shop.counter": COUNTER, "shop.app": APP}, mod="shop.app:Shop")
    newer = APP if word is None else WITH_HEALTH.format(word=word)
    modules = {"shop.counter": SUPERVISED, "shop.app": newer}
    small.write("2", modules, BOTH if word else LOAD_COUNTER, mod="shop.app:Shop", probation=limits)
    handler = small.boot()
    await application.start("shop")
    return handler


def health(handler: ReleaseHandler) -> m.Health:
    found = next(release.health for release in handler.releases() if release.vsn == handler.vsn)
    assert found is not None
    return found


async def reverted(handler: ReleaseHandler) -> m.Operation:
    await eventually(lambda: handler.operation().kind == "revert" and handler.operation().ended, what="the way back")
    return handler.operation()


async def test_health_is_good_when_nothing_has_gone_wrong_for_long_enough(small: SmallNode) -> None:
    handler = await two(small)
    heard: list[tuple[str, str]] = []
    handler.watch(lambda vsn, found: heard.append((vsn, found.verdict)))
    await small.go("2")
    assert health(handler).verdict == "unknown"
    await eventually(lambda: health(handler).verdict == "good")
    assert health(handler).finding == "nothing has gone wrong for 0.1 s"
    assert heard[-1] == ("2", "good")
    await handler.commit(m.Commit(), "ann")
    assert [release.health for release in handler.releases()] == [None, None]


async def test_too_many_restarts_send_it_back_on_the_states_as_they_are(small: SmallNode) -> None:
    handler = await two(small)
    await small.go("2")
    counter = importlib.import_module("shop.counter").Counter
    for _ in range(2):
        with pytest.raises(Exception, match="and again"):
            await gen_server.call("counter", counter.fall)
        await eventually(lambda: whereis("counter") is not None)
    hot.raw_state("counter")["count"] = 12
    operation = await reverted(handler)
    assert (operation.outcome, operation.who, handler.vsn) == ("reverted", "probation", "1")
    assert operation.reason == "2 processes ended and had to be restarted, 1 may"
    assert hot.raw_state("counter") == {"count": 12}


async def test_errors_in_the_log_send_it_back(small: SmallNode) -> None:
    handler = await two(small)
    await small.go("2")
    for _ in range(2):
        logging.getLogger("shop").error("no bread")
    assert (await reverted(handler)).reason == "2 errors were logged, 1 may be"


def block() -> None:
    """Keep the event loop from everybody else, as a computation does."""
    time.sleep(0.15)


async def test_an_event_loop_that_is_late_time_after_time_sends_it_back(small: SmallNode) -> None:
    handler = await two(small)
    await small.go("2")
    while handler.vsn == "2" and handler.operation().kind == "install":
        block()
        await asyncio.sleep(0)
    assert "s late, 0.05 s are allowed" in str((await reverted(handler)).reason)


async def test_an_application_says_how_it_is(small: SmallNode, tmp_path: Path) -> None:
    word = tmp_path / "word"
    handler = await two(small, QUICK, word)
    await small.go("2")
    await eventually(lambda: "shop can't tell its health: FileNotFoundError" in health(handler).finding)
    word.write_text("unknown")
    await eventually(lambda: health(handler).finding == "shop can't tell its health")
    word.write_text("good")
    await eventually(lambda: health(handler).verdict == "good")
    word.write_text("bad")
    assert (await reverted(handler)).reason == "shop says that it isn't well"


async def test_what_failed_takes_a_word_to_be_tried_again_and_a_commit_forgets_it(small: SmallNode) -> None:
    handler = await two(small)
    await small.go("2")
    for _ in range(2):
        logging.getLogger("shop").error("no bread")
    await reverted(handler)
    assert handler.releases()[1].failed == "2 errors were logged, 1 may be"
    with pytest.raises(Refused, match=r"2 failed here before: 2 errors were logged, 1 may be\. Say --again") as refused:
        handler.install(m.Install(vsn="2"), "ann")
    assert "2 failed here before" in (await handler.plan("2")).warnings[0]
    booted = ReleaseHandler(small.root, "1", small.code)
    assert booted.releases()[1].failed == "2 errors were logged, 1 may be"
    assert (await small.go("2", again=True)).outcome == "installed"
    await handler.commit(m.Commit(), "ann")
    assert handler.releases()[1].failed is None
    assert refused.value.operation is None


async def test_what_had_to_be_put_back_has_failed_but_what_an_operator_takes_back_has_not(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": FAILING}, UPDATE_COUNTER)
    handler = small.boot()
    await gen_server.start(importlib.import_module("shop.counter").Counter, name="counter")
    hot.raw_state("counter")["count"] = 7
    assert (await small.go("2")).outcome == "put back"
    assert "seven is right out" in str(handler.releases()[1].failed)
    hot.raw_state("counter")["count"] = 1
    await small.go("2", again=True)
    await small.back()
    assert "seven is right out" in str(handler.releases()[1].failed)
    await handler.remove("2")
    assert [release.failed for release in handler.releases()] == [None]


async def test_without_a_way_back_it_restarts_and_has_failed(small: SmallNode) -> None:
    only_up = LOAD_COUNTER.partition("[[down]]")[0]
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, only_up, probation="deadline = 0.05")
    handler = small.boot()
    halted: list[object] = []
    runtime().on_halt = halted.append
    await small.go("2")
    await eventually(lambda: halted)
    assert "it was not committed in time, and it has no way back" in str(halted[0])
    assert "no way back" in str(handler.releases()[1].failed)


async def test_a_rollback_goes_over_several_releases_where_it_has_to(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER)
    small.write("3", {"shop.counter": COUNTER}, LOAD_COUNTER.replace('"1"', '"2"'))
    handler = small.boot()
    with pytest.raises(Refused, match=r"To 3 lead the ways 1 -> 2 -> 3: go one after the other\."):
        handler.install(m.Install(vsn="3"), "ann")
    await small.go("2")
    await small.go("3")
    operation = await small.back()
    assert (operation.outcome, operation.from_vsn, operation.to_vsn) == ("reverted", "3", "1")
    assert (handler.vsn, {one.status for one in handler.releases()}) == ("1", {"permanent", "unpacked"})


async def test_a_rollback_that_comes_part_of_its_way_says_how_far(small: SmallNode) -> None:
    refusing = FAILING.replace('state["count"] == 7', "type(old_vsn).__name__ == 'Down'")
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": refusing}, UPDATE_COUNTER)
    small.write("3", {"shop.counter": COUNTER}, LOAD_COUNTER.replace('"1"', '"2"'))
    handler = small.boot()
    await gen_server.start(importlib.import_module("shop.counter").Counter, name="counter")
    await small.go("2")
    await small.go("3")
    operation = await small.back()
    assert (operation.outcome, handler.vsn) == ("partly reverted", "2")
    assert str(operation.error).startswith("It came as far as 2: ")

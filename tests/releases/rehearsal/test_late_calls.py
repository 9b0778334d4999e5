"""code_changes that don't end in time: whether they hang, or wait for what only the node has."""

from __future__ import annotations

import importlib
import threading
from typing import TYPE_CHECKING

import pytest

from node_runtime import gen_server
from tests.support.faults.dropped_variable import dropped_after_the_next_fork
from tests.support.projects.rehearsed_shop import changing, only, settings, start_counters
from tests.support.projects.small_shop import COUNTER, UPDATE_COUNTER

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

LOCKS = "import threading\nLOCK = threading.Lock()\nQUEUE_LOCK = threading.Condition()\n"
WAITS = {
    "a lock of a module": "from shop import locks\nwith locks.LOCK:\n    return dict(state)",
    "a lock in a callee": "from shop import locks\nwith locks.QUEUE_LOCK:\n    return dict(state)",
}


@pytest.mark.parametrize("what", WAITS)
async def test_a_lock_outside_of_the_state_that_a_thread_holds_is_unrehearsed(small: SmallNode, what: str) -> None:
    small.write("1", {"shop.locks": LOCKS, "shop.counter": COUNTER})
    small.write("2", {"shop.locks": LOCKS, "shop.counter": changing(WAITS[what])}, UPDATE_COUNTER)
    settings(small, "code_change = 0.3\n")
    small.boot()
    locks = importlib.import_module("shop.locks")
    await gen_server.start(importlib.import_module("shop.counter").Counter, name="counter")
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with locks.LOCK, locks.QUEUE_LOCK:
            held.set()
            done.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    try:
        one = only(await small.handler.plan("2"))
    finally:
        done.set()
        holder.join()
    assert one.message == (
        "its code_change has not ended within 0.3 s, because it waits for a lock that a thread of the node held at "
        "the fork, and that nothing releases in the copy"
    )
    assert one.outcome == "unrehearsed"


HANGS = {
    "sleep of the C library": "import ctypes\nctypes.CDLL(None).sleep(30)\nreturn dict(state)",
    "a swallowed interruption": (
        "import signal\ntry:\n    signal.pause()\nexcept BaseException:\n    pass\nreturn dict(state)"
    ),
    "a lock of its own": "import threading\nlock = threading.Lock()\nwith lock:\n    with lock:\n        pass",
}


@pytest.mark.parametrize("what", HANGS)
async def test_a_hang_is_a_hang(small: SmallNode, what: str) -> None:
    await start_counters(small, changing(HANGS[what]), 5)
    settings(small, "code_change = 0.3\n")
    one = only(await small.handler.plan("2"))
    assert (one.outcome, one.message) == ("hung", "its code_change has not ended within 0.3 s")


async def test_a_sleep_of_the_c_library_that_is_short_enough_ends_by_itself(small: SmallNode) -> None:
    await start_counters(small, changing('import ctypes\nreturn {"left": ctypes.CDLL(None).usleep(200_000)}'), 5)
    one = only(await small.handler.plan("2"))
    assert (one.outcome, one.after and dict(one.after.items)["left"].text) == ("ok", "0")


async def test_a_variable_of_a_thread_is_not_kept_in_the_node_for_the_whole_rehearsal(small: SmallNode) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": changing("return dict(state)")}, UPDATE_COUNTER)
    small.boot()
    await gen_server.start(importlib.import_module("shop.counter").Counter, name="counter")
    with dropped_after_the_next_fork():
        plan = await small.handler.plan("2")
    assert plan.rehearsal is not None
    assert (plan.rehearsal.reached, plan.rehearsal.error) == (1, None)

"""A plan names what only the new `init` or `start` begins, because an upgrade calls neither of them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest

from node_runtime import gen_server
from tests.support.projects.small_shop import LOAD_COUNTER

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

QUIET = """
from node_runtime import GenServer, self_pid, send_after

class Counter(GenServer[int]):
    def init(self):
        return 4
    def _begin(self):
        send_after(60, self_pid(), "tick")
    def handle_info(self, message):
        self._begin()
"""
DIRECT = QUIET.replace("return 4", 'send_after(60, self_pid(), "tick")\n        return 4')
BY_A_METHOD = QUIET.replace("return 4", "self._begin()\n        return 4")
OTHERWISE = QUIET.replace("return 4", "return 5")
MADE_UP_FOR = DIRECT + (
    "    @classmethod\n    def code_change(cls, old_vsn, state, extra):\n"
    "        send_after(60, self_pid(), 'tick')\n        return state\n"
)


async def warned(small: SmallNode, first: str, second: str, appup: str = LOAD_COUNTER) -> list[str]:
    small.write("1", {"shop.counter": first})
    small.write("2", {"shop.counter": second}, appup)
    small.boot()
    for name in ("counter", "other"):
        await gen_server.start(importlib.import_module("shop.counter").Counter, name=name)
    return [one for one in (await small.handler.plan("2")).warnings if one.startswith("init of ")]


@pytest.mark.parametrize("second", [DIRECT, BY_A_METHOD])
async def test_a_timer_that_only_the_new_init_sets_is_named(small: SmallNode, second: str) -> None:
    assert await warned(small, QUIET, second) == [
        "init of shop.counter:Counter calls send_after in release 2, but an upgrade does not call init of running "
        "processes (counter and 1 more): let the appup apply a function that does what init would do, or restart the "
        "processes."
    ]


@pytest.mark.parametrize(
    ("first", "second"), [(DIRECT, DIRECT + "MORE = 1\n"), (QUIET, OTHERWISE), (QUIET, MADE_UP_FOR)]
)
async def test_an_init_that_begins_nothing_more_is_not_named(small: SmallNode, first: str, second: str) -> None:
    assert await warned(small, first, second) == []

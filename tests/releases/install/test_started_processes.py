"""OS processes that an application starts anew find the modules of the release that runs."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

import pytest

from node_runtime import gen_server
from tests.support.projects.small_shop import COUNTER, COUNTER_2, LIVE, LOAD_COUNTER

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

WORK = """
from shop.inner import tools

def told():
    return {vsn!r}, tools.told()
"""
TOOLS = """
def told():
    return {vsn!r}
"""
LOAD_ALL = LOAD_COUNTER.replace(
    '"shop.counter" }', '"shop.work" }, { load_module = "shop.inner.tools" }, { load_module = "shop.counter" }'
)
MIGRATE = 'update = "shop.counter", change = "advanced"'
FAILS_AT_THE_RESUME = f"""{LIVE}
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        if live():
            type.__setattr__(cls, "state", property())
        return dict(state)
"""


def write(small: SmallNode, vsn: str, counter: str, appup: str = "") -> None:
    modules = {"shop.work": WORK.format(vsn=vsn), "shop.inner.tools": TOOLS.format(vsn=vsn), "shop.counter": counter}
    small.write(vsn, modules, appup)


def told_by(kind: Literal["spawn", "forkserver"]) -> Any:
    """What a function of the release says in a process that is started in this way."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(kind)) as pool:
        assert pool.submit(os.getpid).result(30) != os.getpid()
        return pool.submit(importlib.import_module("shop.work").told).result(30)


@pytest.mark.parametrize("kind", ["spawn", "forkserver"])
async def test_a_process_that_is_started_anew_runs_the_code_of_the_release_that_runs(
    small: SmallNode, kind: Literal["spawn", "forkserver"]
) -> None:
    before = list(sys.path)
    write(small, "1", COUNTER)
    write(small, "2", COUNTER_2, LOAD_ALL)
    small.boot()
    importlib.import_module("shop.counter")
    assert told_by(kind) == ("1", "1")
    await small.install("2")
    assert told_by(kind) == ("2", "2")
    await small.roll_back()
    assert told_by(kind) == ("1", "1")
    small.code.uninstall()
    assert sys.path == before


async def test_after_a_failed_install_it_runs_the_code_of_the_release_before(small: SmallNode) -> None:
    write(small, "1", COUNTER)
    write(small, "2", FAILS_AT_THE_RESUME, LOAD_ALL.replace('load_module = "shop.counter"', MIGRATE))
    small.boot()
    await gen_server.start(importlib.import_module("shop.counter").Counter, name="counter")
    operation = await small.install("2")
    assert operation.outcome == "put back"
    assert "the resume of counter" in str(operation.error)
    assert told_by("spawn") == ("1", "1")

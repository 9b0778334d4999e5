"""Many plans in a row leave the node as it was. `make soak` runs this with PLANS=200 and prints the memory."""

from __future__ import annotations

import gc
import importlib
import logging
import os
import sys
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from node_runtime.code.registrations.adapters import find_registries
from tests.support.projects.small_shop import COUNTER, COUNTER_2, LOAD_COUNTER

if TYPE_CHECKING:
    from node_runtime.code import CodeServer
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

PLANS = int(os.environ.get("PLANS", "6"))
WARM_UP = max(2, PLANS // 5)
LIMIT = 1 << 20
"""Bytes by which the memory may grow from the end of the warm-up to the last plan."""

REGISTERING = """
import atexit, logging, sqlite3, sys, warnings
SEEN = []
handler = logging.FileHandler({log!r})
logging.getLogger("many.plans").addHandler(handler)
db = sqlite3.connect({database!r})
sys.path.append("/many/{n}")
warnings.filterwarnings("ignore", message="many {n}")
atexit.register(handler.close)
try:
    from prometheus_client import Counter
    REQUESTS = Counter("many_plans", "How many")
except ImportError:
    pass
"""


def registries(code: CodeServer) -> dict[Any, list[int]]:
    """The identities of what is in each registry."""
    contents = {each.key: each.contents() for each in find_registries(code._table)}
    return {key: [*map(id, each.values() if isinstance(each, dict) else each)] for key, each in contents.items()}


def node_now(code: CodeServer) -> dict[str, Any]:
    gc.collect()
    return {
        "threads": {thread.name for thread in threading.enumerate() if not thread.name.startswith("asyncio")},
        "descriptors": len(os.listdir("/proc/self/fd")),
        "handlers": [*logging.getLogger("many.plans").handlers],
        "registries": registries(code),
        "path": [*sys.path],
        "filters": [*warnings.filters],
        "modules": {*sys.modules},
    }


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_many_plans_leave_threads_descriptors_handlers_and_registries_as_they_were(
    small: SmallNode, tmp_path: Path
) -> None:
    log, database = str(tmp_path / "many.log"), str(tmp_path / "many.db")
    one, two = (REGISTERING.format(n=number, log=log, database=database) for number in "12")
    small.write("1", {"shop.counter": one + COUNTER})
    small.write("2", {"shop.counter": two + COUNTER_2}, LOAD_COUNTER)
    small.boot()
    counter: Any = importlib.import_module("shop.counter")
    try:
        for _ in range(WARM_UP):
            plan = await small.handler.plan("2")
        assert (plan.blockers, plan.rehearsal and plan.rehearsal.error) == ((), None)
        before, memory = node_now(small.code), resident()
        for _ in range(PLANS):
            await small.handler.plan("2")
        grown = resident() - memory
        assert node_now(small.code) == before
        print(f"\n{PLANS} plans: the memory has grown by {grown / 1e6:.2f} MB (limit {LIMIT / 1e6:.2f} MB)")
        assert PLANS < 100 or grown <= LIMIT
    finally:
        counter.db.close()
        counter.handler.close()
        logging.getLogger("many.plans").removeHandler(counter.handler)
        sys.path.remove("/many/1")
        warnings.filters[:] = [each for each in warnings.filters if "many" not in getattr(each[1], "pattern", "")]  # type: ignore[index]

"""Counters whose next version has a code_change to rehearse, for tests of the small node."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from node_runtime import Pid, gen_server
from node_runtime.behaviours.upgrade import live_processes
from node_runtime.protocol import messages as m
from tests.support.projects.small_shop import COUNTER, COUNTER_2, UPDATE_COUNTER

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode


def changing(body: str, *, top: str = "", base: str = "dict") -> str:
    """The counter's next version with this body of its code_change."""
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    text = COUNTER_2.replace("GenServer[dict]", f"GenServer[{base}]").replace("class Counter", f"{top}\nclass Counter")
    return f"{text}\n    @classmethod\n    def code_change(cls, old_vsn, state, extra):\n{lines}"


async def start_counters(small: SmallNode, second: str, *counts: int, first: str = COUNTER) -> list[Pid]:
    """Boot release 1 and start a counter at each of these counts; `second` is the module in release 2."""
    small.write("1", {"shop.counter": first})
    small.write("2", {"shop.counter": second}, UPDATE_COUNTER)
    small.boot()
    cls = importlib.import_module("shop.counter").Counter
    pids = [await gen_server.start(cls, name=f"counter{count}") for count in counts]
    for pid, count in zip(pids, counts, strict=True):
        live_processes.raw_state(pid)["count"] = count
    return pids


def only(plan: m.Plan) -> m.RehearsalResult:
    """The one process of the rehearsal."""
    assert plan.rehearsal is not None
    found = plan.rehearsal.processes, plan.rehearsal.reached, plan.rehearsal.error
    assert found == (1, 1, None), found
    (one,) = plan.rehearsal.results
    return one


def settings(small: SmallNode, text: str) -> None:
    """Write the operator's settings into etc/node.toml."""
    (small.root / "etc").mkdir(exist_ok=True)
    (small.root / "etc" / "node.toml").write_text(text)

"""The number of function calls that each held process costs while all processes wait."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from node_runtime import ChildSpec, gen_server, supervisor
from node_runtime.protocol import messages as m
from node_runtime.supervisor import Supervisor

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

MAX_CALLS = 10
"""Calls per process, with that of its code_change. `make bench-upgrade` has the times that belong to them."""
CUT_OFF = 'name = "shop@127.0.0.1"\nrehearsal = 0.01\n[probation]\ndeadline = 0\n'

WORKER = """
from node_runtime import GenServer
class Worker(GenServer[list]):
    def init(self, number):
        return [number, {vsn}]
    @staticmethod
    def code_change( old_vsn, state, extra):
        return [state[0], {vsn}]
"""
UPDATE = """
    [[up]]
    from = "1"
    instructions = [ { update = "shop.worker", change = "advanced" } ]
    [[down]]
    to = "1"
    instructions = [ { update = "shop.worker", change = "advanced" } ]
"""


class WorkerSup(Supervisor):
    """A supervisor outside of the release, with a worker for each number."""

    strategy, intensity, period = "simple_one_for_one", 1, 5.0

    def children(self) -> list[ChildSpec]:
        return [ChildSpec("worker", start=f"{__name__}:start_worker")]


async def start_worker(number: int) -> Any:
    return await gen_server.start_link(importlib.import_module("shop.worker").Worker, number)


async def start_workers(count: int) -> None:
    for number in range(count):
        await supervisor.start_child("worker_sup", [number])


async def calls_during_the_pause(small: SmallNode) -> int:
    """Install release 2 and go back; return the number of calls of functions, also of those in C, while it held."""
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    def heard(told: m.Operation) -> None:
        sys.setprofile(count if told.phase == "holding" and told.ended is None else None)

    unsubscribe = small.handler.subscribe(heard)
    try:
        done = await small.install("2", unrehearsed=True)
        assert done.outcome == "installed", done.error
    finally:
        sys.setprofile(None)
        unsubscribe()
    assert (await small.roll_back()).outcome == "reverted"
    return calls


async def test_a_held_process_costs_few_calls_of_functions(small: SmallNode) -> None:
    small.write("1", {"shop.worker": WORKER.format(vsn=1)})
    small.write("2", {"shop.worker": WORKER.format(vsn=2)}, UPDATE)
    # Without a whole rehearsal, the install knows nothing of the processes: it costs most.
    (small.root / "releases/2/node.toml").write_text(CUT_OFF)
    small.boot()
    await supervisor.start_link(WorkerSup, name="worker_sup")
    await start_workers(150)
    few = await calls_during_the_pause(small)
    await start_workers(400)
    many = await calls_during_the_pause(small)
    assert (many - few) / 400 <= MAX_CALLS

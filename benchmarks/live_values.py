"""The cost of the search for values of old code: `python -m benchmarks.live_values [SIZE…]`, by default 100,000.

The release that is planned replaces a class. Each server holds values of this class, or none. The output shows how long
the copy of the node searched, how long the whole plan took, for how long the fork stopped the node, and the longest
wait of a client that calls one of the servers every millisecond. This wait is measured in the node's processor time.
Each figure is the best of three plans.
"""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Final

from node_runtime import Runtime
from node_runtime.code import CodeServer

from .looking import Asker
from .pool_node import boot, start_pool, write_release

SIZES: Final = ["100000"]
ROUNDS: Final = 3
ORDER: Final = b"class Order:\n    def __init__(self, number):\n        self.number = number\n"
WORKER: Final = """
from dataclasses import dataclass, field

from node_runtime import GenServer, gen_server
from pool import order

@dataclass
class State:
    number: int
    count: int = 0
    orders: list = field(default_factory=list)
    prices: dict = field(default_factory=dict)

class Worker(GenServer[State]):
    def init(self, number):
        return State(number, 0, [{values}], {{"tea": [number], "milk": [number]}})

    def add(self):
        self.state.count += 1

async def start_link(number):
    return await gen_server.start_link(Worker, number)
"""
LOAD: Final = """
vsn = "{vsn}"
[[up]]
from = "1"
instructions = [ {{ load_module = "pool.order" }} ]
[[down]]
to = "1"
instructions = [ {{ load_module = "pool.order" }} ]
"""


async def measured(size: int, values: str) -> str:
    """Make three plans for a node whose servers hold `values`; return the best figures as a line of a table."""
    worker = WORKER.format(values=values).encode()
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        for vsn, order in (("1", ORDER), ("2", ORDER + b"    changed = True\n")):
            write_release(root, vsn, {"pool.worker": worker, "pool.order": order}, LOAD)
            (root / "releases" / vsn / "node.toml").write_text('name = "pool@127.0.0.1"\n')
        async with Runtime():
            handler = boot(root, CodeServer())
            first, *_ = await start_pool(range(1, size + 1))
            gc.collect()
            gc.freeze()
            asker = Asker(first)
            rounds = []
            for _ in range(ROUNDS):
                began = perf_counter()
                gap, _ = await asker.meanwhile(handler.plan("2"))
                seconds = perf_counter() - began
                plan = await handler.plan("2")
                assert plan.rehearsal is not None
                assert plan.rehearsal.not_searched == 0
                held = sum(one.processes for one in plan.live_values)
                rounds.append((plan.rehearsal.search, seconds, plan.rehearsal.stopped, gap))
            asker.task.cancel()
    search, whole, stopped, gap = (min(figures) for figures in zip(*rounds, strict=True))
    cells = f"{held:,} | {search:.2f} s | {whole:.2f} s | {stopped * 1000:.1f} ms | {gap * 1000:.1f} ms"
    return f"| {size:,} | {cells} |"


def main() -> None:
    """Measure each combination in an OS process of its own, and print a table."""
    if sys.argv[1:2] == ["measure"]:
        print(asyncio.run(measured(int(sys.argv[2]), sys.argv[3])))
        return
    print("| servers | that hold old values | search | whole plan | stop by the fork | longest wait |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for size in sys.argv[1:] or SIZES:
        for values in ("", "order.Order(number), order.Order(0)"):
            words = [sys.executable, "-m", "benchmarks.live_values", "measure", size, values]
            print(subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip())


if __name__ == "__main__":
    main()

"""A minute of crashes under load, then a search for leaks: `python -m benchmarks.soak [--seconds 60] [--uvloop]`.

Clients call, cast to, monitor, suspend and record 10,000 supervised processes, of which 1 % crash
every second. Afterwards there must be as many processes, timers, monitors, links and tasks as at
the start, and the memory must not have grown since the warm-up. Otherwise the exit code is 1.

All seconds are of processor time. By the clock, a busy machine would get as many crashes with fewer
calls, and thousands of processes would still wait for their restart when the warm-up ends.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import random
import statistics
import sys as system
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

from node_runtime import (
    DOWN,
    Exit,
    Pid,
    Ref,
    Runtime,
    call,
    call_within,
    cast,
    demonitor,
    exit,
    gen_statem,
    is_alive,
    monitor,
    receive,
    runtime,
    spawn,
    supervisor,
    sys,
)
from node_runtime.behaviours.upgrade.suspend_leases import leases
from node_runtime.cli.log_lines import TextFormatter
from node_runtime.processes.log_context import add_process_to_log_records
from node_runtime.processes.process import Process

from .measuring import resident
from .soak_shop import EACH, SHELVES, TASKS, TIMERS, Shop, Worker

CLIENTS: Final = 50
CRASHES: Final = 0.01
"""The share of all processes that crash per second."""
WARM_UP: Final = 30.0
WEAR: Final = 0.05
"""The share of all processes that crash per second in the warm-up.

Each process crashes at least once in the warm-up, because a restarted process uses slightly more
memory than one that started together with all others.
"""
SAMPLE: Final = 2.5
NOISE: Final = {"blocks": 0.01, "bytes": 0.05}
"""The permitted growth of the median from the first third of the samples to the last third.

Python's allocated `blocks` measure a leak; the resident bytes also grow by fragmentation.
"""


# ------------------------------------------------------------------ the load


class Deck:
    """Workers and machines in a random order, shuffled again when all have been drawn.

    A process that is drawn may have exited.
    """

    def __init__(self, node: Runtime) -> None:
        self._node = node
        self._pids: list[Pid] = []

    def draw(self) -> Pid:
        """Return the pid of the next process."""
        if not self._pids:
            self._pids = [one.pid for one in self._node.processes.values() if one.qualname in ("Worker", "Blinker")]
            random.shuffle(self._pids)
        return self._pids.pop()


class Load:
    """Clients and a source of crashes.

    `failed` counts the calls whose process ended, and `downs` the DOWN messages.
    """

    def __init__(self, node: Runtime) -> None:
        self.node = node
        self.calls = self.failed = self.crashes = self.downs = 0
        self.ends = False
        self._asked, self._victims = Deck(node), Deck(node)

    async def crash(self) -> None:
        """Crash 1 % of all processes per second, more in the warm-up, in each way in which a process can crash."""
        began = time.process_time()
        while not self.ends:
            await asyncio.sleep(0.01)
            passed = time.process_time() - began
            due = (passed * CRASHES + min(passed, WARM_UP) * (WEAR - CRASHES)) * SHELVES * EACH
            while self.crashes < due:
                self.crashes += 1
                pid = self._victims.draw()
                if self.crashes % 3 == 0:
                    cast(pid, Worker.fall)
                else:
                    exit(pid, "kill" if self.crashes % 3 == 1 else ("bad", "luck"))

    async def client(self, number: int) -> None:
        """Use processes in every way: call, cast, monitor, suspend, record."""
        watched: deque[Ref] = deque()
        while not self.ends:
            pid = self._asked.draw()
            self.calls += 1
            try:
                await self._ask(pid, self.calls % 10, watched)
            except Exit:
                self.failed += 1
            if len(watched) > 10:
                demonitor(watched.popleft())
                with suppress(TimeoutError):
                    while True:
                        self.downs += isinstance(await receive(0), DOWN)
            if self.calls % 20 == 0:
                await asyncio.sleep(0.002)

    async def _ask(self, pid: Pid, way: int, watched: deque[Ref]) -> None:
        process = self.node.find(pid)
        if process.qualname == "Blinker":
            gen_statem.cast(pid, "hello")
        elif way < 4:
            await call(pid, Worker.add, 1)
        elif way < 7:
            await call(pid, Worker.add_later, 1)
        elif way == 7:
            watched.append(monitor(pid))
            await call_within(1.0, pid, Worker.add, 1)
        elif way == 8:
            await sys.suspend(pid, lease=0.05)
            with suppress(TimeoutError):
                await call_within(0.02, pid, Worker.add, 1)
        else:
            sys.log(pid)
            await call(pid, Worker.add, 1)
            sys.no_debug(pid)


# ------------------------------------------------------------------ the node's resources


@dataclass(frozen=True)
class Holdings:
    """The resources of a node at one moment; `timers` are the event loop's, -1 if unknown."""

    processes: int
    zombies: int
    links: int
    monitors: int
    timers: int
    leases: int
    tasks: int

    @classmethod
    def of(cls, node: Runtime) -> Holdings:
        """Count the resources of a runtime."""
        processes = list(node.processes.values())
        scheduled: Any = getattr(node.loop, "_scheduled", None)  # only asyncio's own loop has it
        return cls(
            processes=len(processes),
            zombies=len(node.zombies),
            links=sum(len(one.linked()) for one in processes),
            monitors=sum(_watching(one) for one in processes),
            timers=-1 if scheduled is None else sum(not handle.cancelled() for handle in scheduled),
            leases=len(leases().running),
            tasks=len(asyncio.all_tasks()),
        )


def _watching(process: Process) -> int:
    return len(process.monitors or ()) + len(process.watchers or ())


def columns(values: Iterator[object]) -> str:
    """Return one line of the table."""
    return "  ".join(f"{value!s:>9}" for value in values)


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Wait for the condition; return whether it became true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True


# ------------------------------------------------------------------ the minute


async def soak(seconds: float) -> list[str]:
    """Run the soak and print the samples; return the problems found."""
    node = runtime()
    began = time.monotonic()
    shop = await supervisor.start_link(Shop)
    print(f"{len(node.processes):,} processes started in {time.monotonic() - began:.2f} s")
    await until(lambda: Holdings.of(node).timers in (-1, TIMERS) and Holdings.of(node).tasks == TASKS)
    before = Holdings.of(node)
    load = Load(node)
    clients = [spawn(load.client, number) for number in range(CLIENTS)]
    crashing = asyncio.create_task(load.crash())
    print(columns(iter(["seconds", "calls", "crashes", *asdict(before), "MiB"])))
    memory: dict[str, list[int]] = {"blocks": [], "bytes": []}
    began = time.process_time()
    while (passed := time.process_time() - began) < WARM_UP + seconds:
        await asyncio.sleep(SAMPLE)
        used = resident()
        if passed >= WARM_UP:
            memory["bytes"].append(used)
            memory["blocks"].append(system.getallocatedblocks())
        facts = asdict(Holdings.of(node)).values()
        print(columns(iter([f"{passed:.0f}", load.calls, load.crashes, *facts, f"{used / 2**20:.1f}"])))
    load.ends = True
    await crashing
    await until(lambda: not any(map(is_alive, clients)))
    await until(lambda: Holdings.of(node) == before)
    after = Holdings.of(node)
    wrong = _differences(before, after)
    print(
        f"{load.calls:,} calls, {load.failed:,} of them to processes that ended; "
        f"{load.crashes:,} crashes, {load.downs:,} DOWN messages"
    )
    wrong += [sentence for name, samples in memory.items() if (sentence := _growth(name, samples))]
    exit(shop, "shutdown")
    await until(lambda: not node.processes and not node.zombies)
    await until(lambda: Holdings.of(node).timers <= 0)
    rest = Holdings.of(node)
    return wrong + _differences(Holdings(0, 0, 0, 0, min(0, rest.timers), 0, 1), rest)


def _growth(name: str, samples: list[int]) -> str | None:
    """Print the growth of these samples; return it as a problem if it is more than the noise."""
    third = max(1, len(samples) // 3)
    first, last = statistics.median(samples[:third]), statistics.median(samples[-third:])
    change = f"memory: {first:,.0f} {name} in the first third, {last:,.0f} in the last ({last / first - 1:+.2%})"
    print(change)
    return change if last > first * (1 + NOISE[name]) else None


def _differences(before: Holdings, after: Holdings) -> list[str]:
    was, now = asdict(before), asdict(after)
    return [f"{name}: {was[name]} before, {now[name]} after" for name in was if was[name] != now[name]]


async def main(seconds: float) -> int:
    """Run the soak in a runtime; return the exit code."""
    async with Runtime():
        wrong = await soak(seconds)
    for sentence in wrong:
        print(f"PROBLEM: {sentence}")
    if not wrong:
        print("No leaks found.")
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--uvloop", action="store_true")
    asked = parser.parse_args()
    add_process_to_log_records(lambda: "soak")
    nowhere = logging.StreamHandler(open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  # open as long as we run
    nowhere.setFormatter(TextFormatter())  # reports are formatted in full, but not printed
    logging.basicConfig(level=logging.INFO, handlers=[nowhere])
    factory = None
    if asked.uvloop:
        import uvloop

        factory = uvloop.new_event_loop
    gc.collect()
    with asyncio.Runner(loop_factory=factory) as runner:
        system.exit(runner.run(main(asked.seconds)))

"""The measurements that all candidates share."""

from __future__ import annotations

import asyncio
import gc
import json
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from sys import argv
from time import perf_counter
from typing import Final

from node_runtime.cli.node import GC_YOUNG_THRESHOLD

PAGE: Final = os.sysconf("SC_PAGE_SIZE")
BATCH: Final = 1000
"""Consecutive casts before a call that waits until they are handled."""
CLIENTS: Final = 100
QUEUED: Final = 1_000_000
"""Messages in a mailbox while another, quiet process has to reply."""
PERIOD: Final = 0.001
"""Seconds between two calls to the quiet process."""

Figures = dict[str, float]

gc.set_threshold(GC_YOUNG_THRESHOLD, *gc.get_threshold()[1:])  # as in a node, for all candidates in Python


@dataclass
class Span:
    """Wall time in seconds."""

    seconds: float = 0.0


@contextmanager
def span() -> Iterator[Span]:
    """Measure the wall time of a block, after a garbage collection."""
    gc.collect()
    measured = Span()
    began = perf_counter()
    yield measured
    measured.seconds = perf_counter() - began


def resident() -> int:
    """Resident bytes of this process, after a garbage collection."""
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * PAGE


def wanted() -> tuple[str, bool]:
    """The figure of the command line, and whether to use uvloop.

    The command line is `python -m benchmarks.CANDIDATE FIGURE [uvloop]`.
    """
    return argv[1], "uvloop" in argv[2:]


def run(figures: Callable[[str], Awaitable[Figures]]) -> None:
    """Measure the figure that the command line names, print it, and exit without cleaning up."""
    what, fast = wanted()
    factory: Callable[[], asyncio.AbstractEventLoop]
    if fast:
        import uvloop

        factory = uvloop.new_event_loop
    else:
        factory = asyncio.new_event_loop

    async def main() -> None:
        show(await figures(what))

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


def show(figures: Figures) -> None:
    """Print the figures for the parent, and exit at once: remaining threads and tasks do not matter."""
    print(json.dumps(figures), flush=True)
    os._exit(0)


async def in_turn(call: Callable[[], Awaitable[object]], count: int) -> Figures:
    """Calls per second of one client that waits for each reply."""
    for _ in range(count // 10):
        await call()
    with span() as time:
        for _ in range(count):
            await call()
    return {"rate": count / time.seconds}


async def at_once(call: Callable[[], Awaitable[object]], count: int) -> Figures:
    """Calls per second of a hundred clients, each of which waits for its replies."""

    async def client(calls: int) -> None:
        for _ in range(calls):
            await call()

    await asyncio.gather(*(client(10) for _ in range(CLIENTS)))
    with span() as time:
        await asyncio.gather(*(client(count // CLIENTS) for _ in range(CLIENTS)))
    return {"rate": count / time.seconds}


async def until_handled(cast: Callable[[], object], call: Callable[[], Awaitable[object]], count: int) -> Figures:
    """Casts per second, until all of them have been handled."""
    await call()
    with span() as time:
        for _ in range(count // BATCH):
            for _ in range(BATCH):
                cast()
            await call()
    return {"rate": count / time.seconds}


async def worst_delay(ask: Callable[[], Awaitable[object]], done: Callable[[], bool]) -> Figures:
    """The longest wait of a client that calls every millisecond until `done`, in milliseconds."""
    worst = 0.0
    while True:
        planned = perf_counter() + PERIOD
        await asyncio.sleep(PERIOD)
        await ask()
        worst = max(worst, perf_counter() - planned)
        if done():
            return {"milliseconds": worst * 1000}

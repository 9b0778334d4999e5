"""The CPU time of the hot paths: a call, an async call, a cast and a start, in microseconds.

To compare two versions of the code, run it in a clone of each, alternately, and compare the least figures. CPU time
is less noisy than the rates of `benchmarks.ours` when other programs use the machine.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from benchmarks.ours import Counter
from node_runtime import Runtime, call, cast, gen_server

BATCHES = 8


async def calls(count: int) -> None:
    for _ in range(count):
        await call("counter", Counter.add, 1)


async def async_calls(count: int) -> None:
    for _ in range(count):
        await call("counter", Counter.add_later, 1)


async def casts(count: int) -> None:
    for _ in range(count):
        cast("counter", Counter.add, 1)
    await call("counter", Counter.count)


async def starts(count: int) -> None:
    for _ in range(count):
        await gen_server.start(Counter)


async def microseconds(work: Callable[[int], Awaitable[None]], count: int) -> float:
    """Return the CPU time per operation in the fastest batch."""
    batches = []
    for _ in range(BATCHES):
        began = time.process_time()
        await work(count)
        batches.append((time.process_time() - began) / count * 1e6)
    return min(batches)


async def main() -> None:
    async with Runtime():
        await gen_server.start(Counter, name="counter")
        figures = {
            "call": await microseconds(calls, 100_000),
            "async call": await microseconds(async_calls, 20_000),
            "cast": await microseconds(casts, 100_000),
            "start": await microseconds(starts, 5_000),
        }
    print(", ".join(f"{name} {figure:.3f} us" for name, figure in figures.items()))


if __name__ == "__main__":
    asyncio.run(main())

"""Long work on the event loop waits until the callbacks of the application have ended, but not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter

from node_runtime.releases.planning.loop_slices import IDLE_TURN_SECONDS, LoopSlices


def work(seconds: float) -> None:
    until = perf_counter() + seconds
    while perf_counter() < until:
        pass


def chain(links: float, ended: Callable[[], None]) -> None:
    """Run as many callbacks of the event loop, one in each turn, as a busy application does; then call `ended`."""
    if links <= 0:
        ended()
        return
    work(2 * IDLE_TURN_SECONDS)
    asyncio.get_running_loop().call_soon(chain, links - 1, ended)


async def test_other_callbacks_end_before_the_next_slice() -> None:
    slices, ended = LoopSlices(0.0), asyncio.Event()
    asyncio.get_running_loop().call_soon(chain, 20, ended.set)
    work(0.2)
    assert slices.is_over
    await slices.give_way()
    assert ended.is_set()


async def test_callbacks_that_never_end_leave_the_work_its_share() -> None:
    slices, ended = LoopSlices(0.0), asyncio.Event()
    asyncio.get_running_loop().call_soon(chain, float("inf"), ended.set)
    for _ in range(3):
        work(0.001)
        await slices.give_way()
    assert not ended.is_set()


async def test_a_slice_begins_when_the_work_continues() -> None:
    slices = LoopSlices(3600.0)
    assert not slices.is_over
    await slices.give_way()
    assert not slices.is_over

"""A version is free only if nothing reaches it, also while references move from object to object during the check."""

from __future__ import annotations

import asyncio
import gc
import sys
from types import FrameType
from typing import TYPE_CHECKING

import pytest

from tests.support.written_modules import imported

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

WAITING = """
    import asyncio
    VSN = {vsn}
    TASKS = set()
    async def wait_again_and_again(awaited):
        while True:
            awaited[:] = [asyncio.get_running_loop().create_future()]
            await awaited[0]
    def start(awaited):
        TASKS.add(asyncio.get_running_loop().create_task(wait_again_and_again(awaited)))
"""


@pytest.mark.parametrize("steps", [500, 600, 800, 1100, 1300])
async def test_a_version_is_held_by_a_task_that_goes_on_while_its_holders_are_counted(app: App, steps: int) -> None:
    app.boot(a=WAITING.format(vsn=1))
    awaited: list[asyncio.Future[None]] = []
    imported("a").start(awaited)
    await asyncio.sleep(0)
    app.load(a=WAITING.format(vsn=2))
    loop, step = asyncio.get_running_loop(), 0

    async def go_on() -> None:
        future = awaited[0]
        future.set_result(None)
        await asyncio.sleep(0)
        assert future is not awaited[0], "the task has not gone on"

    def at_each_step(frame: FrameType, event: str, called: object) -> None:
        nonlocal step
        if event == "call" or called is gc.get_referents:
            step += 1
            if step % steps == 0:
                asyncio.run_coroutine_threadsafe(go_on(), loop).result(60)

    def soft_purge() -> bool:
        sys.setprofile(at_each_step)
        try:
            return app.server.soft_purge("a")
        finally:
            sys.setprofile(None)

    assert not await asyncio.to_thread(soft_purge)
    assert step > steps, "the task has not gone on during the check"

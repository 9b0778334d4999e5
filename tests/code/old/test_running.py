"""The search for what runs an old version, while the event loop goes on."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING

from node_runtime import Runtime
from node_runtime.processes import spawn
from tests.support.waiting import eventually
from tests.support.written_modules import imported

if TYPE_CHECKING:
    from types import FrameType

    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

WAITING = """
    VSN = {vsn}
    async def wait(futures, compute):
        for future in futures:
            await future
            compute()
"""


async def test_a_coroutine_that_goes_on_between_the_looks_at_processes_and_at_threads_is_found(app: App) -> None:
    async with Runtime():
        app.boot(a=WAITING.format(vsn=1))
        loop, computes, computed = asyncio.get_running_loop(), threading.Event(), threading.Event()
        first: asyncio.Future[None] = loop.create_future()
        waits = threading.Event()

        def compute() -> None:
            computes.set()
            assert computed.wait(60)
            loop.call_soon(waits.set)  # it waits for the second future by then

        async def outside_of_the_version() -> None:
            await imported("a").wait([first, loop.create_future()], compute)

        pid = spawn(outside_of_the_version)
        await eventually(lambda: first._callbacks)
        app.load(a=WAITING.format(vsn=2))

        def go_on(frame: FrameType, event: str, called: object) -> None:
            if event == "call" and frame.f_code.co_name == "suspended_frames" and not computes.is_set():
                loop.call_soon_threadsafe(first.set_result, None)
                assert computes.wait(60)
            elif called is sys._current_frames and not computed.is_set():
                computed.set()
                assert waits.wait(60)

        def runners() -> list[int]:
            sys.setprofile(go_on)
            try:
                return app.server.pids_running_old_code("a")
            finally:
                sys.setprofile(None)

        found = await asyncio.to_thread(runners)
        assert waits.is_set()
        assert found == [pid]

"""The gate of a listener. While an install keeps it closed, new requests wait, and requests in flight end.

A request that is in flight during the switch would continue in its old version beside the new versions of other
modules, and might use a module that is gone. The gate opens by itself after a short time, so a long request delays the
others only by that time.

A request whose short body is still on its way does not go through the gate, even while it is open. Otherwise the
request would run in the version that was current when its head arrived, although the application can't do anything
before the body.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, Final

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

AWAITED_BYTES: Final = HIGH_WATER_LIMIT
"""A request with a longer body begins when its head has arrived."""
MAX_WAITING: Final = 1_000
"""If this many requests wait at the gate, an install no longer waits for the requests in flight."""


class RequestGate:
    """The gate of one listener, which is open at first."""

    __slots__ = ("_max_waiting", "_opened", "_settled", "_timer", "is_closed", "waiting", "without_body")

    def __init__(self) -> None:
        self.is_closed = False
        self.waiting: set[asyncio.Task[Any] | None] = set()
        """The tasks of the requests that wait at the gate."""
        self.without_body: set[asyncio.Task[Any] | None] = set()
        """The tasks of the requests that wait for their bodies, and have not reached the gate."""
        self._max_waiting = MAX_WAITING
        self._opened = asyncio.Event()
        self._settled = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    async def close(self, in_flight: Collection[asyncio.Task[Any]], seconds: float, max_waiting: int) -> None:
        """Close the gate, and wait until the requests in flight have ended.

        The wait ends after `seconds`, or when `max_waiting` requests wait. The gate stays closed for at most `seconds`
        after the wait, unless `open` is called before. If the wait is cancelled, the gate opens.
        """
        self.open()
        self.is_closed, self._max_waiting = True, max_waiting
        self._opened, self._settled = asyncio.Event(), asyncio.Event()
        left = set(in_flight)

        def ended(task: asyncio.Task[Any]) -> None:
            left.discard(task)
            if not left:
                self._settled.set()

        for task in in_flight:
            task.add_done_callback(ended)
        try:
            if left:
                async with asyncio.timeout(seconds):
                    await self._settled.wait()
        except TimeoutError:
            pass
        except BaseException:
            self.open()
            raise
        finally:
            for task in tuple(left):
                task.remove_done_callback(ended)
        self._timer = asyncio.get_running_loop().call_later(seconds, self.open)

    def open(self) -> None:
        """Let the waiting requests begin, and all later ones."""
        self.is_closed = False
        self._opened.set()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def wait(self) -> None:
        """Wait until the gate is open; called by the task of a request that has not begun."""
        task = asyncio.current_task()
        self.waiting.add(task)
        if len(self.waiting) >= self._max_waiting:
            self._settled.set()
        try:
            await self._opened.wait()
        finally:
            self.waiting.discard(task)

    async def wait_for_body(self, cycle: Any) -> bool:
        """Wait until the body of a request has arrived; return False if the client has left.

        `cycle` is uvicorn's object for the request. A body of more than `AWAITED_BYTES` never arrives as a whole:
        uvicorn pauses reading until the application takes a part of it.
        """
        task = asyncio.current_task()
        self.without_body.add(task)
        try:
            while cycle.more_body and not cycle.disconnected:
                cycle.message_event.clear()
                await cycle.message_event.wait()
        finally:
            self.without_body.discard(task)
        return not cycle.disconnected

"""The processes of the soak: a hundred supervisors, each with a hundred children of three kinds."""

from __future__ import annotations

import asyncio
import random
from typing import Any, Final

from node_runtime import (
    ChildSpec,
    Event,
    GenServer,
    GenStatem,
    Next,
    Pid,
    Supervisor,
    Timeout,
    gen_server,
    gen_statem,
    keep,
    self_pid,
    send_after,
    supervisor,
)

SHELVES: Final = 100
EACH: Final = 100
TIMERS: Final = SHELVES * EACH * (8 + 2) // 10
"""Timers of an idle shop: one for each worker, two for each machine."""
TASKS: Final = SHELVES * EACH // 10 + 1
"""asyncio tasks of an idle shop: one for each child of the type "task", and the main task."""
TICK: Final = 5.0
"""Seconds between two messages of a worker to itself."""


class Worker(GenServer[int]):
    """Counts, ticks, and crashes on request."""

    def init(self) -> int:
        """Start to tick."""
        send_after(random.uniform(0, TICK), self_pid(), "tick")
        return 0

    def add(self, amount: int) -> int:
        """Reply without an await, so that the call may run inline."""
        self.state = (self.state + amount) % 256  # CPython allocates memory for greater integers
        return self.state

    async def add_later(self, amount: int) -> int:
        """Reply one or two turns of the event loop later."""
        await asyncio.sleep(0)
        return self.add(amount)

    def fall(self) -> None:
        """Crash."""
        raise ValueError("fallen", bytearray(1000))

    def handle_info(self, message: Any) -> None:
        """Tick."""
        send_after(TICK, self_pid(), message)


class Blinker(GenStatem[int]):
    """A state machine that always has a timeout."""

    state_enter = True

    def init(self) -> tuple[str, int]:
        """Start in the state dark."""
        return "dark", 0

    def dark(self, event: Event) -> Next:
        """Wait until it is time for the state light."""
        return self._blink(event, "light")

    def light(self, event: Event) -> Next:
        """Wait until it is time for the state dark."""
        return self._blink(event, "dark")

    def _blink(self, event: Event, other: str) -> Next:
        match event:
            case Timeout("blink"):
                self.data += 1
                return Next(other)
            case Timeout("never"):
                return keep
        return Next(timeouts=(Timeout("blink", random.uniform(0, TICK)), Timeout("never", 600.0, generic=True)))


async def start_worker() -> Pid:
    """Start a worker."""
    return await gen_server.start_link(Worker)


async def start_blinker() -> Pid:
    """Start a machine."""
    return await gen_statem.start_link(Blinker)


async def wait_for_ever() -> None:
    """Run a child of the type "task", which waits until it is stopped."""
    await asyncio.Event().wait()


class Shelf(Supervisor):
    """A hundred children: workers, except one machine and one task in every ten."""

    intensity, period = 1000, 5.0

    def children(self) -> list[ChildSpec]:
        """All of them."""
        starts = [f"{__name__}:start_blinker", f"{__name__}:wait_for_ever", *[f"{__name__}:start_worker"] * 8]
        return [
            ChildSpec(str(n), starts[n % 10], shutdown="brutal_kill", type="task" if n % 10 == 1 else "worker")
            for n in range(EACH)
        ]


async def start_shelf() -> Pid:
    """Start a shelf and its children."""
    return await supervisor.start_link(Shelf)


class Shop(Supervisor):
    """All shelves."""

    def children(self) -> list[ChildSpec]:
        """All of them."""
        return [ChildSpec(str(n), f"{__name__}:start_shelf", type="supervisor") for n in range(SHELVES)]

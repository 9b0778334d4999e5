"""xoscar with local references, which its Cython core serves within the process: its fastest mode."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import xoscar

from .measuring import BATCH, QUEUED, Figures, at_once, in_turn, resident, run, span, worst_delay

CHILDREN = 20_000
SCALE = 100_000 / CHILDREN
"""The other candidates start more; xoscar would take too long. The times are scaled up by SCALE."""


class Counter(xoscar.StatelessActor):  # type: ignore[misc]  # it has no stubs
    """A counter."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, number: int) -> int:
        self.count += number
        return self.count

    async def add_later(self, number: int) -> int:
        self.count += number
        return self.count


class Player(xoscar.StatelessActor):  # type: ignore[misc]  # it has no stubs
    """Sends each ball back to `peer`, until none is left."""

    async def meet(self, peer: Any, over: asyncio.Future[None]) -> None:
        self.peer, self.over = peer, over

    async def ball(self, number: int) -> None:
        if number:
            await self.peer.ball.tell(number - 1)
        else:
            self.over.set_result(None)


async def local(address: str, kind: type[xoscar.StatelessActor], uid: str) -> Any:
    """Create an actor and return a local reference to it.

    The reference from create_actor would send through a channel; the one from actor_ref does not.
    """
    await xoscar.create_actor(kind, address=address, uid=uid)
    return await xoscar.actor_ref(address=address, uid=uid)


async def casts(server: Any, count: int) -> Figures:
    tell = server.add.tell
    with span() as time:
        for _ in range(count // BATCH):
            for _ in range(BATCH):
                await tell(1)
            await server.add(1)
    return {"rate": count / time.seconds}


async def messages(address: str, count: int) -> Figures:
    over = asyncio.get_running_loop().create_future()
    one, other = await local(address, Player, "one"), await local(address, Player, "other")
    await one.meet(other, over)
    await other.meet(one, over)
    with span() as time:
        await one.ball.tell(count)
        await over
    return {"rate": count / time.seconds}


async def starts(address: str, count: int) -> Figures:
    with span() as time:
        for _ in range(count):
            await xoscar.create_actor(Counter, address=address)
    return {"rate": count / time.seconds}


async def children(address: str) -> Figures:
    """Actors under their uids, without a supervisor."""
    before = resident()
    with span() as start:
        workers = [await xoscar.create_actor(Counter, address=address, uid=f"w{number}") for number in range(CHILDREN)]
    size = (resident() - before) / CHILDREN
    with span() as stop:
        for worker in workers:
            await xoscar.destroy_actor(worker)
    return {"bytes": size, "start": start.seconds * SCALE, "stop": stop.seconds * SCALE}


async def fairness(address: str) -> Figures:
    flooded, quiet = await local(address, Counter, "flooded"), await local(address, Counter, "quiet")
    for _ in range(QUEUED):
        await flooded.add.tell(1)
    last = asyncio.ensure_future(flooded.add(1))
    return await worst_delay(partial(quiet.add, 1), last.done)


async def figures(what: str) -> Figures:
    pool = await xoscar.create_actor_pool("127.0.0.1:0", n_process=0)
    address = pool.external_address
    counter = await local(address, Counter, "counter")
    measures: dict[str, Callable[[], Awaitable[Figures]]] = {
        "call": partial(in_turn, partial(counter.add, 1), 100_000),
        "call_async": partial(in_turn, partial(counter.add_later, 1), 100_000),
        "call_clients": partial(at_once, partial(counter.add, 1), 100_000),
        "cast": partial(casts, counter, 100_000),
        "message": partial(messages, address, 50_000),
        "start": partial(starts, address, 5_000),
        "children": partial(children, address),
        "fairness": partial(fairness, address),
    }
    return await measures[what]()


if __name__ == "__main__":
    run(figures)

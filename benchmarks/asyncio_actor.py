"""The plain asyncio actor: an asyncio.Queue and a task that reads it, nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from .measuring import BATCH, QUEUED, Figures, at_once, in_turn, resident, run, span, until_handled, worst_delay

CHILDREN = 100_000
Mail = tuple[int, "asyncio.Future[int] | None"]


class Actor:
    """A counter. A request is a number and the future of its reply; for a cast, it is None."""

    def __init__(self) -> None:
        self.count = 0
        self.mail: asyncio.Queue[Mail] = asyncio.Queue()
        self.loop = asyncio.get_running_loop()
        self.task = self.loop.create_task(self.live())

    async def live(self) -> None:
        get = self.mail.get
        while True:
            number, future = await get()
            try:
                result = self.add(number)
            except Exception as error:
                if future is not None and not future.done():
                    future.set_exception(error)
            else:
                if future is not None and not future.done():
                    future.set_result(result)

    def add(self, number: int) -> int:
        self.count += number
        return self.count

    def cast(self, number: int) -> None:
        self.mail.put_nowait((number, None))

    async def call(self, number: int) -> int:
        future: asyncio.Future[int] = self.loop.create_future()
        self.mail.put_nowait((number, future))
        return await future


class AsyncActor(Actor):
    """A counter whose handler is async."""

    async def live(self) -> None:
        get = self.mail.get
        while True:
            number, future = await get()
            try:
                result = await self.later(number)
            except Exception as error:
                if future is not None and not future.done():
                    future.set_exception(error)
            else:
                if future is not None and not future.done():
                    future.set_result(result)

    async def later(self, number: int) -> int:
        self.count += number
        return self.count


class Player(Actor):
    """Sends each ball back to `peer`, until none is left."""

    peer: Player
    over: asyncio.Future[None]

    def add(self, number: int) -> int:
        if number:
            self.peer.cast(number - 1)
        else:
            self.over.set_result(None)
        return number


async def awaited(actor: Actor, count: int) -> Figures:
    """Casts by `await queue.put()`, which is common, although an unbounded queue never blocks."""

    async def cast(number: int) -> None:
        await actor.mail.put((number, None))

    with span() as time:
        for _ in range(count // BATCH):
            for _ in range(BATCH):
                await cast(1)
            await actor.call(1)
    return {"rate": count / time.seconds}


async def messages(count: int) -> Figures:
    one, other = Player(), Player()
    one.peer, other.peer = other, one
    one.over = other.over = one.loop.create_future()
    with span() as time:
        one.cast(count)
        await one.over
    return {"rate": count / time.seconds}


async def receives(count: int) -> Figures:
    """Messages between two tasks, each of which reads its own queue."""
    here: asyncio.Queue[int] = asyncio.Queue()
    there: asyncio.Queue[int] = asyncio.Queue()

    async def play(mine: asyncio.Queue[int], other: asyncio.Queue[int]) -> None:
        while (ball := await mine.get()) > 0:
            other.put_nowait(ball - 1)
        other.put_nowait(0)

    with span() as time:
        here.put_nowait(count)
        await asyncio.gather(play(here, there), play(there, here))
    return {"rate": count / time.seconds}


async def spawns(count: int) -> Figures:
    async def nothing() -> None:
        pass

    loop = asyncio.get_running_loop()
    with span() as time:
        for _ in range(count // 1000):
            await asyncio.gather(*[loop.create_task(nothing()) for _ in range(1000)])
    return {"rate": count / time.seconds}


async def starts(count: int) -> Figures:
    """Start actors, and wait until they read their queues."""
    kept: list[Actor] = []
    with span() as time:
        for _ in range(count // 1000):
            kept += [Actor() for _ in range(1000)]
            await asyncio.sleep(0)
    return {"rate": count / time.seconds}


async def children() -> Figures:
    """Actors in a dict by name, without a supervisor."""
    before = resident()
    actors: dict[str, Actor] = {}
    with span() as start:
        for number in range(CHILDREN):
            actors[f"w{number}"] = Actor()
        await asyncio.sleep(0)
    size = (resident() - before) / CHILDREN
    with span() as stop:
        tasks = [actor.task for actor in actors.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return {"bytes": size, "start": start.seconds, "stop": stop.seconds}


async def fairness() -> Figures:
    flooded, quiet = Actor(), Actor()
    await quiet.call(1)
    for _ in range(QUEUED):
        flooded.cast(1)
    return await worst_delay(partial(quiet.call, 1), lambda: flooded.count == QUEUED)


async def figures(what: str) -> Figures:
    plain, slow = Actor(), AsyncActor()
    call = partial(plain.call, 1)
    measures: dict[str, Callable[[], Coroutine[Any, Any, Figures]]] = {
        "call": partial(in_turn, call, 200_000),
        "call_queued": partial(in_turn, call, 200_000),
        "call_async": partial(in_turn, partial(slow.call, 1), 200_000),
        "call_clients": partial(at_once, call, 300_000),
        "cast": partial(until_handled, partial(plain.cast, 1), call, 1_000_000),
        "cast_awaited": partial(awaited, plain, 1_000_000),
        "message": partial(messages, 300_000),
        "receive": partial(receives, 300_000),
        "spawn": partial(spawns, 200_000),
        "start": partial(starts, 50_000),
        "children": children,
        "fairness": fairness,
    }
    return await measures[what]()


if __name__ == "__main__":
    run(figures)

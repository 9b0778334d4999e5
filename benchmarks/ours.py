"""node_runtime's own processes. The caller is a process too, as in a node."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from node_runtime import (
    ChildSpec,
    GenServer,
    Pid,
    Runtime,
    Supervisor,
    call,
    cast,
    demonitor,
    gen_server,
    link,
    monitor,
    process_info,
    receive,
    runtime,
    self_pid,
    send,
    spawn,
    supervisor,
    sys,
    trap_exit,
    until_ended,
    whereis,
)
from node_runtime import exit as send_exit

from .measuring import QUEUED, Figures, at_once, in_turn, resident, run, span, until_handled, worst_delay

CHILDREN = 100_000
START = f"{__name__}:start_worker"


class Counter(GenServer[int]):
    """A counter."""

    def init(self) -> int:
        return 0

    def add(self, number: int) -> int:
        self.state += number
        return self.state

    async def add_later(self, number: int) -> int:
        self.state += number
        return self.state

    def count(self) -> int:
        return self.state


class Player(GenServer["asyncio.Future[None]"]):
    """Sends each ball back to its sender, until none is left."""

    def init(self, over: asyncio.Future[None]) -> asyncio.Future[None]:
        return over

    def handle_info(self, message: tuple[Pid, Pid, int]) -> None:
        mine, peer, balls = message
        if balls:
            send(peer, (peer, mine, balls - 1))
        else:
            self.state.set_result(None)


async def start_worker(name: str) -> Pid:
    return await gen_server.start_link(Counter, name=name)


class Workers(Supervisor):
    """All of the workers."""

    def children(self) -> list[ChildSpec]:
        return [ChildSpec(name, START, (name,)) for name in [f"w{n}" for n in range(CHILDREN)]]


class Alike(Supervisor):
    """Any number of workers with one specification."""

    strategy = "simple_one_for_one"

    def children(self) -> list[ChildSpec]:
        return [ChildSpec("worker", START)]


async def messages(count: int) -> Figures:
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    one, other = await gen_server.start(Player, over), await gen_server.start(Player, over)
    with span() as time:
        send(one, (one, other, count))
        await over
    return {"rate": count / time.seconds}


async def receives(count: int) -> Figures:
    """Messages between two plain processes, each of which reads its own mailbox."""

    async def play() -> None:
        peer, balls = await receive()
        me = self_pid()
        while balls > 0:
            send(peer, balls - 1)
            balls = await receive()
        send(peer, (me, 0) if balls is None else 0)

    one, other = spawn(play), spawn(play)
    with span() as time:
        send(other, (one, count // 2))
        send(one, (other, count // 2))
        await asyncio.gather(until_ended(one), until_ended(other))
    return {"rate": count / time.seconds}


async def spawns(count: int) -> Figures:
    async def nothing() -> None:
        pass

    with span() as time:
        for _ in range(count // 1000):
            for _ in range(1000):
                last = spawn(nothing)
            await until_ended(last)
    return {"rate": count / time.seconds}


async def starts(count: int) -> Figures:
    """Start servers; a start is complete when `init` has returned."""
    with span() as time:
        for _ in range(count):
            await gen_server.start(Counter)
    return {"rate": count / time.seconds}


async def children() -> Figures:
    """Children with names, each with its own specification."""
    before = resident()
    with span() as start:
        top = await supervisor.start_link(Workers)
    size = (resident() - before) / CHILDREN
    assert len(runtime().processes) > CHILDREN
    with span() as stop:
        send_exit(top, "shutdown")
        await until_ended(top)
    return {"bytes": size, "start": start.seconds, "stop": stop.seconds}


async def alike() -> Figures:
    """Children with names, and one specification for all of them."""
    top = await supervisor.start_link(Alike)
    before = resident()
    for number in range(CHILDREN):
        await supervisor.start_child(top, (f"w{number}",))
    return {"bytes": (resident() - before) / CHILDREN}


async def watched() -> Figures:
    """Calls to a server with a hundred links and a hundred monitors."""
    await gen_server.start(Counter, name="watched")
    server = whereis("watched")
    assert server is not None

    async def tie() -> None:
        link(server)
        monitor(server)
        await receive()

    for _ in range(100):
        spawn(tie)
    await asyncio.sleep(0)
    assert len(process_info(server).links) == 100
    return await in_turn(partial(call, "watched", Counter.add, 1), 500_000)


async def recorded(record: Callable[[str], object]) -> Figures:
    """Calls to a server whose events are recorded."""
    record("counter")
    return await in_turn(partial(call, "counter", Counter.add, 1), 100_000)


async def monitors(count: int) -> Figures:
    """A monitor, set and removed."""
    await gen_server.start(Counter, name="watched")
    with span() as time:
        for _ in range(count):
            demonitor(monitor("watched"))
    return {"rate": count / time.seconds}


async def fairness() -> Figures:
    flooded, quiet = await gen_server.start(Counter), await gen_server.start(Counter)
    server = runtime().find(flooded)
    for _ in range(QUEUED):
        cast(flooded, Counter.add, 1)
    return await worst_delay(partial(call, quiet, Counter.add, 1), lambda: server.mail is None)


async def measured(what: str) -> Figures:
    await gen_server.start(Counter, name="counter")
    ask: Callable[[], Coroutine[Any, Any, int]] = partial(call, "counter", Counter.add, 1)
    measures: dict[str, Callable[[], Coroutine[Any, Any, Figures]]] = {
        "call": partial(in_turn, ask, 1_000_000),
        "call_queued": partial(in_turn, ask, 200_000),
        "call_async": partial(in_turn, partial(call, "counter", Counter.add_later, 1), 200_000),
        "call_clients": partial(at_once, ask, 300_000),
        "cast": partial(until_handled, partial(cast, "counter", Counter.add, 1), ask, 1_000_000),
        "message": partial(messages, 1_000_000),
        "receive": partial(receives, 300_000),
        "spawn": partial(spawns, 200_000),
        "start": partial(starts, 50_000),
        "children": children,
        "alike": alike,
        "fairness": fairness,
        "watched": watched,
        "statistics": partial(recorded, sys.statistics),
        "log": partial(recorded, sys.log),
        "monitor": partial(monitors, 200_000),
    }
    return await measures[what]()


async def figures(what: str) -> Figures:
    """Measure in a process of the runtime.

    For "call_queued", the runtime makes no inline calls, so every call goes through the mailbox.
    """
    async with Runtime(inline=what != "call_queued"):
        answer: asyncio.Future[Figures] = asyncio.get_running_loop().create_future()

        async def measurer() -> None:
            trap_exit()
            answer.set_result(await measured(what))

        reason = await until_ended(spawn(measurer))
        if isinstance(reason, Exception):
            raise reason
        return answer.result()


if __name__ == "__main__":
    run(figures)

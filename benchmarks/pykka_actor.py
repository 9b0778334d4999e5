"""pykka: an actor is a thread. `ask` on the bare reference is faster than a proxy, so `ask` is measured."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from time import perf_counter, sleep
from typing import Any

import pykka

from .measuring import BATCH, CLIENTS, PERIOD, QUEUED, Figures, resident, show, span, wanted

CHILDREN = 2_000
"""Each actor has a thread, so 100,000 actors are not possible; the times are scaled up by SCALE."""
SCALE = 100_000 / CHILDREN


class Counter(pykka.ThreadingActor):  # type: ignore[misc]  # it has no stubs
    """A counter."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def on_receive(self, number: int) -> int:
        self.count += number
        return self.count


class Player(pykka.ThreadingActor):  # type: ignore[misc]  # it has no stubs
    """Sends each ball back to its sender, until none is left."""

    def __init__(self, over: Event) -> None:
        super().__init__()
        self.over = over

    def on_receive(self, message: tuple[Any, int]) -> None:
        peer, balls = message
        if balls:
            peer.tell((self.actor_ref, balls - 1))
        else:
            self.over.set()


class Flooded(Counter):
    """A counter that sets `over` when it has handled a 0."""

    def __init__(self, over: Event) -> None:
        super().__init__()
        self.over = over

    def on_receive(self, number: int) -> int:
        if not number:
            self.over.set()
        return super().on_receive(number)


def calls(count: int) -> Figures:
    ask = Counter.start().ask
    ask(1)
    with span() as time:
        for _ in range(count):
            ask(1)
    return {"rate": count / time.seconds}


def clients(count: int) -> Figures:
    ask = Counter.start().ask

    def client(_: int) -> None:
        for _ in range(count // CLIENTS):
            ask(1)

    with ThreadPoolExecutor(CLIENTS) as threads, span() as time:
        list(threads.map(client, range(CLIENTS)))
    return {"rate": count / time.seconds}


def casts(count: int) -> Figures:
    server = Counter.start()
    server.ask(1)
    with span() as time:
        for _ in range(count // BATCH):
            for _ in range(BATCH):
                server.tell(1)
            server.ask(1)
    return {"rate": count / time.seconds}


def messages(count: int) -> Figures:
    over = Event()
    one, other = Player.start(over), Player.start(over)
    with span() as time:
        one.tell((other, count))
        over.wait()
    return {"rate": count / time.seconds}


def starts(count: int) -> Figures:
    kept = []
    with span() as time:
        for _ in range(count):
            kept.append(Counter.start())  # noqa: PERF401 - one by one, as the others start theirs
    return {"rate": count / time.seconds}


def children() -> Figures:
    """Actors in pykka's registry, without a supervisor."""
    before = resident()
    with span() as start:
        for _ in range(CHILDREN):
            Counter.start()
    size = (resident() - before) / CHILDREN
    with span() as stop:
        pykka.ActorRegistry.stop_all()
    return {"bytes": size, "start": start.seconds * SCALE, "stop": stop.seconds * SCALE}


def fairness() -> Figures:
    over = Event()
    flooded, quiet = Flooded.start(over), Counter.start()
    for _ in range(QUEUED):
        flooded.tell(1)
    flooded.tell(0)
    worst = 0.0
    while not over.is_set():
        planned = perf_counter() + PERIOD
        sleep(PERIOD)
        quiet.ask(1)
        worst = max(worst, perf_counter() - planned)
    return {"milliseconds": worst * 1000}


MEASURES: dict[str, Callable[[], Figures]] = {
    "call": partial(calls, 20_000),
    "call_clients": partial(clients, 30_000),
    "cast": partial(casts, 300_000),
    "message": partial(messages, 20_000),
    "start": partial(starts, 2_000),
    "children": children,
    "fairness": fairness,
}

if __name__ == "__main__":
    show(MEASURES[wanted()[0]]())

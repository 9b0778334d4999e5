"""Shared answers: whoever asks at the same time gets the same answer, and nobody gets an answer of before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from node_runtime import GenServer, exit, gen_server, self_pid, send
from node_runtime.control.shared_answers import (
    MAX_PAUSE_SECONDS,
    MIN_PAUSE_SECONDS,
    PAUSE_FACTOR,
    Answer,
    AnswerCallback,
    SharedAnswers,
)
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from tests.support.waiting import begun

if TYPE_CHECKING:
    from tests.support.nodes.shop_node import Node

pytest_plugins = ["tests.support.nodes.shop_node"]


class Desk:
    """Asks one question, whose answers a test makes when it wants to."""

    def __init__(self) -> None:
        self.making: list[AnswerCallback] = []
        self.pauses: list[tuple[float, Callable[[], None]]] = []
        self.answered: list[tuple[str, bytes | None]] = []
        self._answers = SharedAnswers(lambda seconds, task: self.pauses.append((seconds, task)))

    def ask(self, client: str, *, paused: bool = True) -> None:
        self._answers.ask(
            "question", self.making.append, lambda answer: self.answered.append((client, answer.packed)), paused=paused
        )

    def answer(self, packed: bytes, seconds: float = 0.0) -> None:
        self.making.pop()(Answer(packed, None, None, seconds))

    def end_pause(self) -> float:
        seconds, task = self.pauses.pop()
        task()
        return seconds


def test_all_who_ask_before_the_making_begins_share_one_answer() -> None:
    desk = Desk()
    desk.ask("a")
    desk.answer(b"1")
    for client in "bcd":
        desk.ask(client)
    assert desk.making == []
    desk.end_pause()
    desk.answer(b"2")
    assert desk.answered == [("a", b"1"), ("b", b"2"), ("c", b"2"), ("d", b"2")]


def test_who_asks_while_an_answer_is_made_gets_the_next_one() -> None:
    desk = Desk()
    desk.ask("a")
    desk.ask("b")
    desk.answer(b"old")
    assert desk.answered == [("a", b"old")]
    desk.end_pause()
    desk.answer(b"new")
    assert desk.answered[1:] == [("b", b"new")]


def test_the_pause_is_longer_the_longer_an_answer_takes() -> None:
    desk = Desk()
    pauses = []
    for seconds in (0.0, 0.02, 100.0):
        desk.ask("a")
        desk.answer(b"", seconds)
        pauses.append(desk.end_pause())
    assert pauses == [MIN_PAUSE_SECONDS, 0.02 * PAUSE_FACTOR, MAX_PAUSE_SECONDS]


def test_without_pauses_the_next_answer_is_begun_at_once() -> None:
    desk = Desk()
    desk.ask("a", paused=False)
    desk.ask("b", paused=False)
    desk.ask("c", paused=False)
    desk.answer(b"1")
    desk.answer(b"2")
    assert desk.pauses == []
    assert desk.answered == [("a", b"1"), ("b", b"2"), ("c", b"2")]


class Counter(GenServer[int]):
    """Always has a message, so that two snapshots of different moments differ."""

    def init(self) -> int:
        send(self_pid(), "on")
        return 0

    def handle_info(self, message: object) -> None:
        send(self_pid(), message)


async def messages_of_counter(client: Client) -> int:
    snapshot = await client.request(methods.SNAPSHOT)
    return next(one.messages for one in snapshot.processes if one.name == "counter")


async def test_viewers_that_ask_at_the_same_time_get_the_same_snapshot(shop: Node) -> None:
    counter = await gen_server.start(Counter, name="counter")
    async with shop.client("viewer") as one, shop.client("viewer") as other:
        seen = await asyncio.gather(*(messages_of_counter(client) for client in (one, other) * 20))
    exit(counter, "kill")
    assert len(seen) == 40
    assert len(set(seen)) <= 3


async def test_a_snapshot_shows_what_has_changed_before_it_was_requested(shop: Node) -> None:
    async def others(client: Client) -> Any:
        return await asyncio.gather(*(client.request(methods.SNAPSHOT) for _ in range(3)))

    async with shop.client("viewer") as viewer, shop.client("viewer") as other:
        for number in range(5):
            busy = asyncio.create_task(others(other))
            await begun(busy)
            pid = await gen_server.start(Counter, name=f"counter{number}")
            snapshot = await viewer.request(methods.SNAPSHOT)
            assert f"counter{number}" in {one.name for one in snapshot.processes}
            exit(pid, "kill")
            await busy

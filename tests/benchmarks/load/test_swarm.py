"""The swarm counts exactly what a hub does wrong; the hub here does it by script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from benchmarks.load.counts import Counts, Summary
from benchmarks.load.ledger import Ledger
from benchmarks.load.swarm import Swarm

LIMIT_SECONDS = 60.0
Say = Callable[[ServerConnection, str, str], list[str]]
"""The texts that a listener gets when a speaker says something: its arguments are listener, speaker and text."""


@asynccontextmanager
async def hub(say: Say, ended: asyncio.Event, messages: int) -> AsyncIterator[int]:
    """A hub with one room, which sets `ended` after as many messages as these."""
    members: dict[ServerConnection, str] = {}
    number = 0

    async def member(socket: ServerConnection) -> None:
        nonlocal number
        assert socket.request is not None
        members[socket] = socket.request.path.rpartition("/")[2]
        await socket.send(json.dumps({"kind": "presence", "members": []}))
        with suppress(ConnectionClosed):
            while True:
                text = json.loads(await socket.recv())["text"]
                number += 1
                for listener in list(members):
                    with suppress(ConnectionClosed):
                        for news in say(listener, members[socket], text):
                            await listener.send(news)
                if number >= messages:
                    ended.set()

    async with serve(member, "127.0.0.1", 0) as listening:
        yield next(iter(listening.sockets)).getsockname()[1]


def message(user: str, text: str) -> str:
    return json.dumps({"kind": "message", "number": 1, "user": user, "text": text})


async def counted(say: Say, messages: int = 12, hear_seconds: float = LIMIT_SECONDS) -> Summary:
    """Let three members talk until the hub has got as many messages as these."""
    ended = asyncio.Event()
    async with asyncio.timeout(LIMIT_SECONDS), hub(say, ended, messages) as port:
        members = Swarm(port, 3, 200.0, hear_seconds)
        await members.join()
        await members.talk(ended)
        await members.leave()
    return members.counts.summary()


def faults(summary: Summary) -> tuple[int, int, int, int, int]:
    return summary.failed, summary.wrong, summary.dropped, summary.lost, summary.doubled


async def test_members_who_hear_everything_once_count_no_fault() -> None:
    summary = await counted(lambda listener, user, text: [message(user, text)])
    assert faults(summary) == (0, 0, 0, 0, 0)
    assert summary.answered == summary.sent >= 12


async def test_a_message_that_one_listener_hears_twice_is_doubled() -> None:
    first: list[ServerConnection] = []

    def say(listener: ServerConnection, user: str, text: str) -> list[str]:
        first[:] = first or [listener]
        doubles = listener is first[0] and (user, text) == ("member1", "2")
        return [message(user, text)] * (1 + doubles)

    assert faults(await counted(say)) == (0, 0, 0, 0, 1)


async def test_a_message_that_one_listener_does_not_hear_is_lost() -> None:
    first: list[ServerConnection] = []

    def say(listener: ServerConnection, user: str, text: str) -> list[str]:
        first[:] = first or [listener]
        return [] if listener is first[0] and (user, text) == ("member1", "2") else [message(user, text)]

    assert faults(await counted(say)) == (0, 0, 0, 1, 0)


async def test_news_of_no_known_kind_and_messages_that_nobody_has_said_are_wrong() -> None:
    def say(_listener: ServerConnection, user: str, text: str) -> list[str]:
        lies = [message("nobody", "1"), json.dumps({"kind": "error"}), "no JSON"]
        return [message(user, text), *(lies if (user, text) == ("member0", "1") else [])]

    assert faults(await counted(say)) == (0, 9, 0, 0, 0)


async def test_a_closed_websocket_is_dropped_and_its_messages_are_lost() -> None:
    closed: list[asyncio.Task[None]] = []

    def say(listener: ServerConnection, user: str, text: str) -> list[str]:
        if not closed:
            closed.append(asyncio.get_running_loop().create_task(listener.close(1012)))
            return []
        return [message(user, text)]

    summary = await counted(say, hear_seconds=0.5)
    assert summary.dropped == 1
    assert summary.lost > 0


def test_the_last_messages_that_somebody_has_not_heard_are_lost() -> None:
    counts = Counts()
    ledger = Ledger(counts)
    for _ in range(3):
        ledger.say("ann", 0.0)
    ledger.hear("ann", "ann", 1, 1.0)
    for number in (1, 2, 3):
        ledger.hear("bob", "ann", number, 1.0)
    assert not ledger.is_complete(["ann", "bob"])
    ledger.end(["ann", "bob"])
    assert counts.lost == 2
    assert counts.seconds == [1.0]

"""Members of the hub's rooms, each on a websocket, who talk at a constant rate and listen to each other.

`python -m benchmarks.load.swarm PORT SOCKETS RATE` joins the rooms, prints "ready", talks until its standard input
ends, waits for the last messages, and prints its counts as JSON. The rate is that of all members together, in messages
per second.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import sys
from time import perf_counter
from typing import Final

import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from .counts import Counts
from .ledger import Ledger
from .standard_streams import print_counts, serve_input

ROOM_SIZE: Final = 10
AT_ONCE: Final = 50
"""Handshakes at the same time."""
HEAR_SECONDS: Final = 30.0
"""After the last message, it has this time to be heard."""
NEWS: Final = frozenset({"history", "presence", "message"})
"""The kinds of news that a room sends in all versions."""


class Room:
    """One room, and what its members say and hear."""

    def __init__(self, name: str, counts: Counts) -> None:
        self.name = name
        self.ledger = Ledger(counts)
        self.members: list[str] = []


class Member:
    """One websocket."""

    def __init__(self, name: str, room: Room, counts: Counts) -> None:
        self._name = name
        self._room = room
        self._counts = counts
        self._socket: ClientConnection
        room.members.append(name)

    async def join(self, port: int) -> None:
        """Connect to the room."""
        url = f"ws://127.0.0.1:{port}/rooms/{self._room.name}/{self._name}"
        self._socket = await connect(url, compression=None, open_timeout=60, ping_interval=None, max_queue=None)

    async def listen(self) -> None:
        """Account for all that comes, until the websocket is closed; only its end by the server is a fault."""
        try:
            while True:
                self._hear(await self._socket.recv())
        except ConnectionClosed as closed:
            self._counts.fault("dropped", f"{self._name}: {closed}")

    async def say(self, due: float) -> None:
        """Say the next number. If the websocket is closed, it will be missed by the others."""
        number = self._room.ledger.say(self._name, due)
        try:
            await self._socket.send(json.dumps({"text": str(number)}))
        except ConnectionClosed as closed:
            self._counts.fault("failed", f"{self._name} can't say {number}: {closed}")

    async def leave(self) -> None:
        """Close the websocket."""
        await self._socket.close()

    def _hear(self, text: str | bytes) -> None:
        try:
            news = json.loads(text)
            kind = news["kind"]
            if kind == "message":
                self._room.ledger.hear(self._name, news["user"], int(news["text"]), perf_counter())
        except (ValueError, KeyError, TypeError):
            kind = None
        if kind not in NEWS:
            self._counts.fault("wrong", f"{self._name} heard {text[:80]!r}")


class Swarm:
    """All members of all rooms."""

    def __init__(self, port: int, sockets: int, rate: float, hear_seconds: float = HEAR_SECONDS) -> None:
        self.counts = Counts()
        self._hear_seconds = hear_seconds
        self._port = port
        self._rate = rate
        self._rooms = [Room(f"room{number}", self.counts) for number in range(max(1, sockets // ROOM_SIZE))]
        self._members = [
            Member(f"member{number}", self._rooms[number % len(self._rooms)], self.counts) for number in range(sockets)
        ]
        self._tasks: set[asyncio.Task[None]] = set()

    async def join(self) -> None:
        """Open all websockets, and listen. A handshake that fails is a fault."""
        free = asyncio.Semaphore(AT_ONCE)

        async def join(member: Member) -> None:
            async with free:
                try:
                    await member.join(self._port)
                except (OSError, WebSocketException) as error:
                    self.counts.fault("failed", f"a handshake: {error}")
                    return
            self._start(member)

        await asyncio.gather(*map(join, self._members))

    async def talk(self, ended: asyncio.Event) -> None:
        """Let one member after the other say something until `ended`, then wait until everybody has heard it."""
        began = perf_counter()
        for number, member in enumerate(itertools.cycle(self._members)):
            if ended.is_set():
                break
            due = began + number / self._rate
            await asyncio.sleep(due - perf_counter())
            await member.say(due)
        deadline = perf_counter() + self._hear_seconds
        while not self._has_heard_everything() and perf_counter() < deadline:  # noqa: ASYNC110 - messages set no event
            await asyncio.sleep(0.05)
        for room in self._rooms:
            room.ledger.end(room.members)

    async def leave(self) -> None:
        """Close all websockets."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(member.leave() for member in self._members))

    def _has_heard_everything(self) -> bool:
        return all(room.ledger.is_complete(room.members) for room in self._rooms)

    def _start(self, member: Member) -> None:
        self._tasks.add(asyncio.get_running_loop().create_task(member.listen()))


async def swarm(port: int, sockets: int, rate: float) -> None:
    """Talk until the standard input ends, and print the counts."""
    members = Swarm(port, sockets, rate)
    await members.join()
    print("ready", flush=True)
    gc.collect()
    gc.freeze()
    ended = asyncio.Event()
    await asyncio.gather(serve_input(members.counts, ended), members.talk(ended))
    await members.leave()
    print_counts(members.counts)


if __name__ == "__main__":
    uvloop.run(swarm(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))

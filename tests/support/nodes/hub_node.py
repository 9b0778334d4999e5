"""The example hub, built, installed and running in its own folders, and members who talk in its rooms."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.nodes.example_node import ExampleNode, running_example

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "hub"
PATIENT: Final[dict[str, Any]] = {"open_timeout": 60, "close_timeout": 60, "ping_timeout": 120}
NAME = "hub@127.0.0.1"
PAUSE_SECONDS = 0.01
"""The time between two messages of a member, so that the traffic doesn't slow down what it goes through."""


class HubNode(ExampleNode):
    """A node that runs the hub."""

    __slots__ = ()
    application = "hub"

    def get(self, path: str) -> Any:
        """The JSON that the site answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            return json.loads(answer.read())


def running(tarball: Path, folder: Path, **overrides: object) -> contextlib.AbstractContextManager[HubNode]:
    """A node that was installed from `tarball` and started; stopped at the end."""
    return running_example(HubNode, tarball, folder, **overrides)


@dataclass
class Talker:
    """A member of a room who says a number again and again, and remembers all that the room says."""

    name: str
    socket: ClientConnection
    heard: list[dict[str, Any]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    """The numbers that this member has said, as the room has repeated them."""
    repeated: asyncio.Event = field(default_factory=asyncio.Event)
    trouble: list[str] = field(default_factory=list)

    async def listen(self) -> None:
        """Remember everything, until the socket is closed."""
        try:
            async for text in self.socket:
                news = json.loads(text)
                self.heard.append(news)
                if news["kind"] == "message" and news["user"] == self.name:
                    self.numbers.append(int(news["text"]))
                    self.repeated.set()
            self.trouble.append(f"{self.name}: {self.socket.close_code} {self.socket.close_reason}")
        except ConnectionClosed as closed:
            self.trouble.append(f"{self.name}: {closed}")

    async def talk(self) -> None:
        """Say a number, and the next one soon after the room has repeated it."""
        for number in itertools.count(1):
            await self.socket.send(json.dumps({"text": str(number)}))
            await self.repeated.wait()
            self.repeated.clear()
            await asyncio.sleep(PAUSE_SECONDS)

    def messages(self) -> list[dict[str, Any]]:
        """All messages that the room has said, in their order."""
        return [one for one in self.heard if one["kind"] == "message"]


@contextlib.asynccontextmanager
async def talking(node: HubNode, room: str, *names: str) -> AsyncIterator[list[Talker]]:
    """Members who talk in a room during the block."""
    async with contextlib.AsyncExitStack() as opened:
        members = []
        for name in names:
            url = f"ws://127.0.0.1:{node.port}/rooms/{room}/{name}"
            socket = await opened.enter_async_context(connect(url, **PATIENT))
            members.append(Talker(name, socket))
        tasks = [asyncio.create_task(work) for member in members for work in (member.listen(), member.talk())]
        try:
            yield members
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

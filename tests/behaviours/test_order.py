"""Order of messages: a server handles the messages of one sender in the order in which they were sent."""

from __future__ import annotations

import asyncio
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from node_runtime import GenServer, Runtime, call, cast, gen_server, send

Way = Literal["call", "async call", "cast", "async cast", "send", "let others run"]
WAYS: tuple[Way, ...] = ("call", "async call", "cast", "async cast", "send", "let others run")


class Log(GenServer[list[int]]):
    def init(self) -> list[int]:
        return []

    def note(self, number: int) -> int:
        self.state.append(number)
        return number

    async def note_later(self, number: int) -> int:
        await asyncio.sleep(0)
        self.state.append(number)
        return number

    def handle_info(self, message: int) -> None:
        self.state.append(message)

    def notes(self) -> list[int]:
        return list(self.state)


@settings(deadline=None, max_examples=150)
@given(ways=st.lists(st.sampled_from(WAYS), max_size=120), inline=st.booleans())
def test_messages_of_one_sender_are_handled_in_order(ways: list[Way], inline: bool) -> None:
    async def body() -> None:
        async with Runtime(inline=inline):
            pid = await gen_server.start(Log)
            sent = []
            for number, way in enumerate(ways):
                match way:
                    case "call":
                        assert await call(pid, Log.note, number) == number
                    case "async call":
                        assert await call(pid, Log.note_later, number) == number
                    case "cast":
                        cast(pid, Log.note, number)
                    case "async cast":
                        cast(pid, Log.note_later, number)
                    case "send":
                        send(pid, number)
                    case "let others run":
                        await asyncio.sleep(0)
                        continue
                sent.append(number)
            assert await call(pid, Log.notes) == sent

    asyncio.run(body())

"""Websockets live through upgrades, failed ones and rollbacks: none is closed, and no message is lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import ClientConnection

from node_runtime import web
from node_runtime.behaviours.upgrade import live_processes
from node_runtime.processes import runtime
from node_runtime.web import WebSocketRoute

from .conftest import Site, served

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

FIRST = """
    from dataclasses import dataclass
    from node_runtime.web import WebSocketHandler

    @dataclass
    class Member:
        name: str
        said: int = 0

    class Chat(WebSocketHandler[Member]):
        def connected(self, request):
            return Member(request.path_params["name"])

        def handle_text(self, text):
            self.state.said += 1
            self.send_text(f"1 {self.state.name} {self.state.said} {text}")
"""
SECOND = (
    FIRST.replace("said: int = 0", 'said: int = 0\n        mood: str = "calm"')
    .replace('f"1 ', 'f"2 ')
    .replace("{text}", "{text} {self.state.mood}")
)
THIRD = (
    SECOND
    + """
        @classmethod
        def code_change(cls, old_vsn, state, extra):
            if state.name == "bob" and not rehearsed():
                raise RuntimeError("this release fails")
            return Member(state.name, state.said)

    import os
    NODE = os.getpid()
    def rehearsed():
        return os.getpid() != NODE
"""
)
WRONG = THIRD.partition("            if state.name")[0] + "            return [state]\n"
UPDATE = """
    [[up]]
    from = "@"
    instructions = [{ update = "shop.chat", change = "advanced" }]
    [[down]]
    to = "@"
    instructions = [{ update = "shop.chat", change = "advanced" }]
"""


async def says(client: ClientConnection, text: str) -> str:
    await client.send(text)
    answer = await asyncio.wait_for(client.recv(), 60)
    assert isinstance(answer, str)
    return answer


@pytest.fixture
async def chat(small: SmallNode) -> Any:
    """A node whose releases change a chat, and a server of it."""
    small.write("1", {"shop.chat": FIRST})
    small.write("2", {"shop.chat": SECOND}, UPDATE.replace("@", "1"))
    small.write("3", {"shop.chat": THIRD}, UPDATE.replace("@", "2"))
    small.write("4", {"shop.chat": WRONG}, UPDATE.replace("@", "1"))
    small.boot()
    async with served() as site:
        web.set_websockets("site", [WebSocketRoute("/{name}", "shop.chat:Chat")])
        yield site


async def test_a_connection_lives_through_an_upgrade_a_failed_one_and_a_rollback(small: SmallNode, chat: Site) -> None:
    async with chat.client("/ann") as ann, chat.client("/bob") as bob:
        assert await says(ann, "a") == "1 ann 1 a"
        assert await says(bob, "b") == "1 bob 1 b"
        for vsn, outcome, number, mood in (("2", "installed", 2, " calm"), ("3", "put back", 2, " calm")):
            operation = await small.install(vsn)
            assert operation.outcome == outcome, operation.error
            assert (await says(ann, vsn)).startswith(f"{number} ann ")
            assert (await says(bob, vsn)).endswith(f" {vsn}{mood}")
        assert (await small.roll_back()).outcome == "reverted"
        assert await says(ann, "z") == "1 ann 4 z"
        async with chat.client("/eve") as eve:
            assert await says(eve, "e") == "1 eve 1 e"


async def test_no_message_is_lost_or_doubled_while_members_talk_through_upgrades(small: SmallNode, chat: Site) -> None:
    async with chat.client("/ann") as ann, chat.client("/bob") as bob:
        over = asyncio.Event()

        async def talk(client: ClientConnection) -> int:
            """Send numbers without waiting for the answers; returns how many."""
            count = 0
            while not over.is_set():
                count += 1
                await client.send(str(count))
                await asyncio.sleep(0)
            return count

        async def listen(client: ClientConnection, until: asyncio.Task[int]) -> list[str]:
            answers: list[str] = []
            while not until.done() or len(answers) < until.result():
                answers.append(str(await asyncio.wait_for(client.recv(), 60)))
            return answers

        talking = [asyncio.create_task(talk(client)) for client in (ann, bob)]
        listening = [asyncio.create_task(listen(*pair)) for pair in zip((ann, bob), talking, strict=True)]
        operations = [await small.install("2"), await small.install("3"), await small.roll_back()]
        operations += [await small.install("2"), await small.roll_back()]
        outcomes = ["installed", "put back", "reverted", "installed", "reverted"]
        assert [operation.outcome for operation in operations] == outcomes
        over.set()
        for name, answers in zip(("ann", "bob"), [await one for one in listening], strict=True):
            assert [answer.split()[1:4] for answer in answers] == [
                [name, str(number), str(number)] for number in range(1, len(answers) + 1)
            ]
            assert {answer[0] for answer in answers} == {"1", "2"}


async def test_a_message_that_arrives_during_the_hold_waits_for_the_new_version(small: SmallNode, chat: Site) -> None:
    async with chat.client("/ann") as ann:
        assert await says(ann, "a") == "1 ann 1 a"
        [pid] = [process.pid for process in runtime().processes.values() if process.module == "shop.chat"]
        await live_processes.hold(pid, owner="a test", timeout=60)
        await ann.send("b")
        await (await ann.ping())
        assert runtime().find(pid).mail is not None
        live_processes.release(pid, owner="a test")
        assert await asyncio.wait_for(ann.recv(), 60) == "1 ann 2 b"
        await live_processes.hold(pid, owner="a test", timeout=60)
        await ann.close()
        live_processes.release(pid, owner="a test")


async def test_a_code_change_that_returns_another_state_than_the_handler_declares_is_found(
    small: SmallNode, chat: Site
) -> None:
    async with chat.client("/ann") as ann:
        assert await says(ann, "a") == "1 ann 1 a"
        (blocker,) = (await small.handler.plan("4")).blockers
        assert "its code_change returned a list; Chat declares its state as Member" in blocker.reason
        assert await says(ann, "b") == "1 ann 2 b"

"""The hub on a real node: members talk through upgrades, a refused upgrade and downgrades, and nobody is disconnected."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.support.nodes.fil_node import build
from tests.support.nodes.hub_node import EXAMPLES, HubNode, Talker, running, talking
from tests.support.waiting import eventually

VERSIONS = ("1.0", "1.1", "1.2")


@pytest.fixture(scope="module")
def tarballs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The tarball of each version."""
    output = tmp_path_factory.mktemp("hub")
    return {vsn: build(EXAMPLES / vsn, output) for vsn in VERSIONS}


async def some_more(members: list[Talker]) -> None:
    """Wait until each member has heard some more of what it says, or is in trouble."""
    wanted = [(member, len(member.numbers) + 5) for member in members]
    await eventually(
        lambda: all(len(one.numbers) >= count or one.trouble for one, count in wanted), what="some more messages"
    )
    assert [trouble for member in members for trouble in member.trouble] == []


async def run(node: HubNode, *words: str, code: int | None = 0) -> str:
    """Run a verb while the members talk; returns what it prints."""
    done = await asyncio.to_thread(node.bin, *words, code=code)
    return done.stdout + done.stderr


@pytest.mark.slow  # it builds three releases with FastAPI, and runs twelve commands while members talk
async def test_members_talk_through_upgrades_and_downgrades_and_lose_nothing(
    tarballs: dict[str, Path], tmp_path: Path
) -> None:
    with running(tarballs["1.0"], tmp_path, messages=10**9) as node:
        for vsn in ("1.1", "1.2"):
            await run(node, "unpack", str(tarballs[vsn]))
        async with talking(node, "lobby", "ann", "bob") as lobby, talking(node, "attic", "eve") as attic:
            members = [*lobby, *attic]
            await some_more(members)
            seconds = (await asyncio.to_thread(node.get, "/status"))["seconds"]
            await run(node, "upgrade", "--yes", "--commit", "1.1")
            await some_more(members)
            status = await asyncio.to_thread(node.get, "/status")
            assert status["vsn"] == "1.1"
            assert status["seconds"] >= seconds
            assert "mentions" in lobby[0].messages()[-1]
            await lobby[0].socket.send(json.dumps({"text": "/topic tea and cake"}))
            await eventually(lambda: {"kind": "topic", "topic": "tea and cake"} in lobby[1].heard, what="the topic")

            plan = await run(node, "plan", "1.2", code=1)
            assert "room attic" in plan
            assert "IndexError" in plan
            refused = await run(node, "upgrade", "--yes", "1.2", code=1)
            assert "room attic" in refused
            await some_more(members)
            assert await asyncio.to_thread(vsn_of, node) == "1.1"

            await run(node, "downgrade", "--yes", "1.0", "--lose", "hub.room:State.topic")
            await some_more(members)
            assert await asyncio.to_thread(vsn_of, node) == "1.0"
            assert "mentions" not in lobby[0].messages()[-1]
            await run(node, "rollback", "--yes")
            await some_more(members)
            assert "mentions" in lobby[0].messages()[-1]

            processes = {one["name"]: one for one in await asyncio.to_thread(node.hotdash_json, "ps") if one["name"]}
            assert {"hub_sup", "directory", "limiter", "statistics", "room lobby", "room attic"} <= set(processes)
            kept = await asyncio.to_thread(node.get, "/rooms/lobby/messages")
            assert {one["user"] for one in kept} == {"ann", "bob"}
    for member in members:
        assert member.trouble == []
        assert member.numbers == list(range(1, len(member.numbers) + 1))
        numbers = [message["number"] for message in member.messages()]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def vsn_of(node: HubNode) -> str:
    return str(node.get("/status")["vsn"])

"""Output that goes on: `--watch`, and events that are followed."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from tests.support.dashboard.fil_world import NODE
from tests.support.dashboard.scripted_peer import Peer

LONG = 60.0


async def start(*words: str, stdout: int = PIPE) -> Process:
    line = (sys.executable, "-m", "hotdash", *words)
    return await asyncio.create_subprocess_exec(*line, stdin=asyncio.subprocess.DEVNULL, stdout=stdout, stderr=PIPE)


async def lines(process: Process, count: int) -> list[str]:
    assert process.stdout is not None
    async with asyncio.timeout(LONG):
        return [(await process.stdout.readline()).decode() for _ in range(count)]


async def interrupted(process: Process) -> int:
    """Interrupt the process; return its exit code."""
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(LONG):
        await process.communicate()
    assert process.returncode is not None
    return process.returncode


@pytest.mark.parametrize("verb", ["ps", "releases"])
async def test_a_watched_verb_prints_json_lines_until_interrupted(peer: Peer, verb: str) -> None:
    peer.start()
    process = await start(verb, NODE, "--watch", "--every", "0.1", "-o", "json")
    assert all(json.loads(line) for line in await lines(process, 3))
    assert await interrupted(process) == 0


async def test_a_watched_table_is_drawn_over_itself_on_a_terminal(peer: Peer) -> None:
    peer.start()
    ours, theirs = pty.openpty()
    process = await start("releases", NODE, "--watch", "--every", "0.1", stdout=theirs)
    os.close(theirs)

    def read() -> str:
        shown = b""
        while shown.count(b"\x1b[H") < 3:
            shown += os.read(ours, 65536)
        return shown.decode()

    shown = await asyncio.wait_for(asyncio.to_thread(read), LONG)
    _, first, second, _ = shown.split("\x1b[H", 3)
    assert "1986.b" in first
    assert "1986.b" in second
    assert await interrupted(process) == 0
    os.close(ours)


async def test_a_watched_node_that_comes_back_is_shown_again(peer: Peer) -> None:
    peer.start()
    process = await start("releases", NODE, "--watch", "--every", "0.1", "-o", "json")
    await lines(process, 1)
    peer.stop()
    assert process.stderr is not None
    async with asyncio.timeout(LONG):
        assert "fil@127.0.0.1" in (await process.stderr.readline()).decode()
    peer.start()
    await lines(process, 1)
    assert await interrupted(process) == 0


async def test_followed_events_are_json_lines_from_the_first_to_the_last(peer: Peer) -> None:
    peer.start()
    peer.emit("module", "an earlier event")
    process = await start("events", NODE, "-f", "-o", "json")
    first = json.loads((await lines(process, 1))[0])
    assert first["text"] == "an earlier event"
    peer.emit("module", "a later event")
    assert json.loads((await lines(process, 1))[0])["text"] == "a later event"
    await interrupted(process)


async def test_a_wrong_use_ends_a_watched_verb(run_directory: Path) -> None:
    process = await start("ps", "no-name", "--watch")
    _, stderr = await asyncio.wait_for(process.communicate(), LONG)
    assert process.returncode == 2
    assert "is not a node name" in stderr.decode()

"""Replies wake tasks within the scheduler's turn, and this has no other visible effect."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from node_runtime import Exit, GenServer, Pid, Runtime, call, cast, gen_server, process_info, receive, send, spawn
from node_runtime import exit as send_exit
from tests.support.waiting import eventually

mark: ContextVar[str] = ContextVar("mark", default="none")


class Desk(GenServer[asyncio.Event]):
    def init(self) -> asyncio.Event:
        return asyncio.Event()

    def now(self) -> str:
        return "now"

    async def later(self) -> str:
        return "later"

    async def when_open(self) -> str:
        await self.state.wait()
        return "open"

    def open(self) -> None:
        self.state.set()

    async def remember(self, word: str) -> str:
        before = mark.get()
        mark.set(word)
        return before


class Turns:
    """Counts the turns of the event loop."""

    def __init__(self) -> None:
        self.count = -1
        self.turn()

    def turn(self) -> None:
        self.count += 1
        self.handle = asyncio.get_running_loop().call_soon(self.turn)


@pytest.mark.parametrize("method", [Desk.now, Desk.later])
async def test_consecutive_calls_do_not_need_a_turn_of_the_loop_each(
    runtime: Runtime, method: Callable[[Desk], Any]
) -> None:
    desk = await gen_server.start(Desk)
    turns = Turns()
    for _ in range(1000):
        await call(desk, method)
    turns.handle.cancel()
    assert turns.count < 100


async def test_processes_that_send_to_each_other_let_the_loop_run(runtime: Runtime) -> None:
    balls = 0

    async def play() -> None:
        nonlocal balls
        while True:
            peer, me = await receive()
            balls += 1
            send(peer, (me, peer))

    one, other = spawn(play), spawn(play)
    turns = Turns()
    send(one, (other, one))
    await eventually(lambda: turns.count > 10)
    turns.handle.cancel()
    assert balls > 10


async def test_a_caller_that_is_cancelled_stops_waiting_and_the_server_goes_on(runtime: Runtime) -> None:
    desk = await gen_server.start(Desk)
    caller = asyncio.ensure_future(call(desk, Desk.when_open))
    await eventually(lambda: process_info(desk).status == "running")
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    runtime.find(desk).raw_state().set()  # type: ignore[attr-defined]  # a server's process
    assert await call(desk, Desk.now) == "now"


async def test_a_caller_that_is_cancelled_after_its_reply_is_cancelled(runtime: Runtime) -> None:
    desk = await gen_server.start(Desk)
    answered = False

    async def ask() -> None:
        nonlocal answered
        await call(desk, Desk.when_open)
        answered = True

    caller = asyncio.ensure_future(ask())
    await eventually(lambda: process_info(desk).status == "running")
    state = runtime.find(desk).raw_state()  # type: ignore[attr-defined]  # a server's process
    state.set()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert not answered


async def test_a_server_that_is_killed_before_its_async_callback_has_begun_fails_the_call(runtime: Runtime) -> None:
    desk = await gen_server.start(Desk)
    assert await call(desk, Desk.later) == "later"

    async def kill() -> None:
        send_exit(desk, "kill")

    caller = asyncio.ensure_future(call(desk, Desk.later))
    await kill()
    with pytest.raises(Exit):
        await caller


async def test_no_task_of_an_async_callback_stays_after_its_end(runtime: Runtime) -> None:
    desk = await gen_server.start(Desk)
    before = asyncio.all_tasks()
    for _ in range(10):
        await call(desk, Desk.later)
    await eventually(lambda: asyncio.all_tasks() == before)


async def test_context_variables_of_a_callback_are_seen_by_no_other_process(runtime: Runtime) -> None:
    one, other = await gen_server.start(Desk), await gen_server.start(Desk)
    await call(one, Desk.remember, "one")
    assert await call(other, Desk.remember, "other") == "none"
    assert mark.get() == "none"


async def test_the_time_of_fast_calls_is_counted_although_not_each_is_measured(runtime: Runtime) -> None:
    desk = await gen_server.start(Desk)

    async def many(pid: Pid) -> None:
        for _ in range(2000):
            await call(pid, Desk.now)

    await many(desk)
    assert 0 < process_info(desk).spent < 5


async def test_a_flood_of_casts_and_a_caller_share_the_turns(runtime: Runtime) -> None:
    flooded, quiet = await gen_server.start(Desk), await gen_server.start(Desk)
    for _ in range(20_000):
        cast(flooded, Desk.now)
    for _ in range(5):
        assert await call(quiet, Desk.now) == "now"
    assert process_info(flooded).mailbox > 0

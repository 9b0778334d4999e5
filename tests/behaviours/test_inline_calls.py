"""Inline calls: they run in the caller's turn and keep every guarantee of queued calls."""

from __future__ import annotations

import asyncio

import pytest

from node_runtime import (
    Exit,
    GenServer,
    Pid,
    Runtime,
    call,
    cast,
    exit,
    gen_server,
    is_alive,
    link,
    process_info,
    self_pid,
    send,
    spawn,
    until_ended,
)
from tests.support.waiting import eventually


class Log(GenServer[list[object]]):
    def init(self) -> list[object]:
        return []

    def note(self, what: object) -> None:
        self.state.append(what)

    def note_and_send_to_self(self, what: object) -> None:
        send(self_pid(), ("from itself", what))
        cast(self_pid(), Log.note, ("cast by itself", what))
        self.state.append(what)

    def handle_info(self, message: object) -> None:
        self.state.append(message)

    def notes(self) -> list[object]:
        return list(self.state)

    def kill(self, pid: Pid) -> None:
        exit(pid, "kill")

    def link_and_crash(self, pid: Pid) -> None:
        link(pid)
        raise ValueError("broken")

    def end_itself(self) -> str:
        exit(self_pid(), "kill")
        return "not an answer"


async def test_a_call_to_an_idle_server_runs_in_the_callers_turn() -> None:
    async with Runtime() as node:
        pid = await gen_server.start(Log)
        turns = 0

        def other() -> None:
            nonlocal turns
            turns += 1

        node.loop.call_soon(other)
        await call(pid, Log.note, 1)
        assert turns == 0


async def test_without_the_inline_path_a_call_takes_a_turn() -> None:
    async with Runtime(inline=False) as node:
        pid = await gen_server.start(Log)
        turns = 0

        def other() -> None:
            nonlocal turns
            turns += 1

        node.loop.call_soon(other)
        await call(pid, Log.note, 1)
        assert turns == 1


async def test_a_client_that_calls_in_a_loop_does_not_starve_the_others(runtime: Runtime) -> None:
    pid = await gen_server.start(Log)
    stop = False
    calls = 0

    async def greedy() -> None:
        nonlocal calls
        while not stop:
            await call(pid, Log.note, None)
            calls += 1

    task = asyncio.ensure_future(greedy())
    longest = 0
    for _ in range(50):
        before = calls
        await asyncio.sleep(0)
        longest = max(longest, calls - before)
    stop = True
    await task
    assert 0 < longest <= 257


async def test_a_call_never_overtakes_queued_mail(runtime: Runtime) -> None:
    pid = await gen_server.start(Log)
    await call(pid, Log.note, 0)
    cast(pid, Log.note, 1)
    send(pid, 2)
    await call(pid, Log.note, 3)
    assert await call(pid, Log.notes) == [0, 1, 2, 3]


async def test_mail_sent_in_the_callback_comes_after_it_and_before_the_next_call(runtime: Runtime) -> None:
    pid = await gen_server.start(Log)
    await call(pid, Log.note_and_send_to_self, 1)
    await call(pid, Log.note, 2)
    assert await call(pid, Log.notes) == [1, ("from itself", 1), ("cast by itself", 1), 2]


async def test_mail_sent_in_the_callback_is_handled_without_another_call(runtime: Runtime) -> None:
    pid = await gen_server.start(Log)
    await call(pid, Log.note_and_send_to_self, 1)
    await eventually(lambda: process_info(pid).mailbox == 0 and process_info(pid).status == "idle")
    assert await call(pid, Log.notes) == [1, ("from itself", 1), ("cast by itself", 1)]


async def test_self_pid_is_the_callers_again_after_the_call(runtime: Runtime) -> None:
    pid = await gen_server.start(Log)
    pids: list[Pid] = []

    async def caller() -> None:
        pids.append(self_pid())
        await call(pid, Log.note, 1)
        pids.append(self_pid())

    await until_ended(spawn(caller))
    assert pids[0] == pids[1] != pid


async def test_a_caller_that_the_callee_kills_gets_no_reply(runtime: Runtime) -> None:
    pid = await gen_server.start(Log)
    after: list[str] = []

    async def caller() -> None:
        await call(pid, Log.kill, self_pid())
        after.append("went on")

    assert await until_ended(spawn(caller)) == "killed"
    await eventually(lambda: not runtime.zombies)
    assert after == []


async def test_a_crash_reaches_a_linked_caller_as_exit_signal_before_the_call_returns(runtime: Runtime) -> None:
    pid = await gen_server.start(Log)
    after: list[str] = []

    async def caller() -> None:
        try:
            await call(pid, Log.link_and_crash, self_pid())
        except Exit:
            after.append("went on")

    reason = await until_ended(spawn(caller))
    assert isinstance(reason, ValueError)
    await eventually(lambda: not runtime.zombies)
    assert after == []


async def test_a_crash_in_the_callee_leaves_the_caller_alive(runtime: Runtime) -> None:
    pid = await gen_server.start(Log)
    after: list[object] = []

    async def caller() -> None:
        with pytest.raises(Exit):
            await call(pid, Log.note)  # type: ignore[call-overload]  # the mistake is the point
        after.append(is_alive(self_pid()))

    assert await until_ended(spawn(caller)) == "normal"
    assert after == [True]
    assert not is_alive(pid)


async def test_a_server_that_exits_in_the_callback_does_not_reply(runtime: Runtime) -> None:
    pid = await gen_server.start(Log)
    with pytest.raises(Exit) as error:
        await call(pid, Log.end_itself)
    assert error.value.reason == "killed"
    assert not runtime.zombies


async def test_a_busy_server_is_never_entered_twice(runtime: Runtime) -> None:
    class Nosy(GenServer[int]):
        def init(self) -> int:
            return 0

        async def hold(self) -> int:
            self.state += 1
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.state -= 1
            return self.state

        def peek(self) -> int:
            return self.state

    pid = await gen_server.start(Nosy)
    results = await asyncio.gather(*(call(pid, Nosy.hold if i % 2 else Nosy.peek) for i in range(20)))
    assert set(results) == {0}

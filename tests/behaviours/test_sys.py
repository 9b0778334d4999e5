"""The functions of sys that inspect processes without disturbing them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from node_runtime import (
    Call,
    CallTimeout,
    Deadlock,
    Event,
    Exit,
    GenServer,
    GenStatem,
    Next,
    NoProcess,
    Pid,
    Runtime,
    Timeout,
    call,
    exit,
    gen_server,
    gen_statem,
    keep,
    process_info,
    receive,
    spawn,
    sys,
)
from tests.support.waiting import answered, begun, eventually


class Safe(GenServer[dict[str, Any]]):
    def init(self) -> dict[str, Any]:
        return {"secret": "1234", "count": 0}

    async def count_when(self, gate: asyncio.Event) -> int:
        await gate.wait()
        self.state["count"] += 1
        count: int = self.state["count"]
        return count

    def count(self) -> int:
        count: int = self.state["count"]
        return count

    def format_status(self) -> object:
        return {**self.state, "secret": "hidden"}


class Onlooker(GenServer[None]):
    """Inspects given processes, also one that waits for it."""

    def init(self) -> None:
        return None

    async def look(self, pid: Pid, way: str) -> object:
        looks: dict[str, Callable[[], Awaitable[object]]] = {
            "get_state": lambda: sys.get_state(pid),
            "get_status": lambda: sys.get_status(pid),
            "replace_state": lambda: sys.replace_state(pid, lambda state: state),
            "suspend": lambda: sys.suspend(pid),
        }
        try:
            return await looks[way]()
        except Exit as refused:
            return refused

    async def let_look(self, other: Pid, pid: Pid, way: str) -> object:
        return await call(other, Onlooker.look, pid, way)


class Broken(Safe):
    def format_status(self) -> object:
        raise ValueError("cannot be shown")


async def test_the_state_of_an_idle_process_is_read_at_once_and_without_a_message(runtime: Runtime) -> None:
    pid = await gen_server.start(Safe)
    before = process_info(pid).messages
    looking = sys.get_state(pid)
    with pytest.raises(StopIteration) as done:
        looking.send(None)
    assert done.value.value is runtime.processes[pid].raw_state()  # type: ignore[attr-defined]  # it is a server's
    assert process_info(pid).messages == before


async def test_the_state_of_a_running_process_is_read_when_its_callback_ends(runtime: Runtime) -> None:
    pid = await gen_server.start(Safe)
    gate = asyncio.Event()
    running = asyncio.ensure_future(call(pid, Safe.count_when, gate))
    await eventually(lambda: process_info(pid).status == "running")
    looking = asyncio.ensure_future(sys.get_state(pid))
    await begun(looking)
    assert not looking.done()
    gate.set()
    assert (await looking)["count"] == 1
    assert await running == 1


@pytest.mark.parametrize("way", ["get_state", "get_status", "replace_state", "suspend"])
async def test_reading_a_process_whose_callback_waits_for_the_reader_is_a_deadlock(runtime: Runtime, way: str) -> None:
    one, other = await gen_server.start(Onlooker), await gen_server.start(Onlooker)
    refused = await call(one, Onlooker.let_look, other, one, way)
    assert isinstance(refused, Deadlock)
    assert refused.pids == (other, one)
    itself = await call(one, Onlooker.look, one, way)
    assert isinstance(itself, Exit)
    assert itself.reason == "calling_self"


async def test_reading_a_state_gives_up_after_its_timeout(runtime: Runtime) -> None:
    pid = await gen_server.start(Safe)
    running = asyncio.ensure_future(call(pid, Safe.count_when, asyncio.Event()))
    await eventually(lambda: process_info(pid).status == "running")
    with pytest.raises(CallTimeout, match="did not answer get_state"):
        await sys.get_state(pid, timeout=0.01)
    exit(pid, "kill")
    with pytest.raises(Exit):
        await running


async def test_a_process_that_exits_while_its_state_is_read_is_noproc(runtime: Runtime) -> None:
    pid = await gen_server.start(Safe)
    running = asyncio.ensure_future(call(pid, Safe.count_when, asyncio.Event()))
    await eventually(lambda: process_info(pid).status == "running")
    looking = asyncio.ensure_future(sys.get_state(pid))
    await begun(looking)
    exit(pid, "kill")
    with pytest.raises(NoProcess):
        await looking
    with pytest.raises(Exit):
        await running


async def test_a_process_without_callbacks_has_no_state(runtime: Runtime) -> None:
    with pytest.raises(Exit, match="has no callbacks"):
        await sys.get_state(spawn(receive))
    with pytest.raises(NoProcess):
        await sys.get_state("nobody")


async def test_replace_state_changes_it_between_callbacks(runtime: Runtime) -> None:
    pid = await gen_server.start(Safe)
    assert (await sys.replace_state(pid, lambda state: {**state, "count": 7}))["count"] == 7
    assert await call(pid, Safe.count) == 7


async def test_a_replacement_that_fails_changes_nothing(runtime: Runtime) -> None:
    pid = await gen_server.start(Safe)
    with pytest.raises(KeyError):
        await sys.replace_state(pid, lambda state: state["missing"])
    assert await call(pid, Safe.count) == 0


async def test_status_shows_the_state_as_format_status_returns_it(runtime: Runtime) -> None:
    pid = await gen_server.start(Safe, name="safe")
    await sys.suspend(pid, owner="operator")
    status = await sys.get_status("safe")
    assert (status.pid, status.name, status.kind, status.status) == (pid, "safe", "gen_server", "suspended")
    assert status.owners == ("operator",)
    assert status.state == {"secret": "hidden", "count": 0}


async def test_a_status_that_cannot_be_formatted_shows_no_secret(runtime: Runtime) -> None:
    pid = await gen_server.start(Broken)
    assert (await sys.get_status(pid)).state == "format_status raised ValueError"


async def test_a_suspended_server_answers_after_resume(runtime: Runtime) -> None:
    pid = await gen_server.start(Safe)
    await sys.suspend(pid)
    await sys.suspend(pid)
    waiting = asyncio.ensure_future(call(pid, Safe.count))
    await begun(waiting)
    assert not waiting.done()
    assert (await sys.get_state(pid))["count"] == 0
    sys.resume(pid)
    assert await waiting == 0


async def test_a_suspended_server_can_be_stopped(runtime: Runtime) -> None:
    pid = await gen_server.start(Safe)
    await sys.suspend(pid)
    await gen_server.stop(pid)
    assert pid not in runtime.processes


async def test_reading_a_state_restarts_no_timer(runtime: Runtime) -> None:
    class Alarm(GenStatem[list[str]]):
        def init(self) -> tuple[str, list[str]]:
            return "set", []

        def set(self, event: Event) -> Next:
            match event:
                case Call("start"):
                    return Next(reply="ok", timeouts=(Timeout("ring", 0.02),))
                case Timeout("ring"):
                    self.data.append("ring")
            return keep

    pid = await gen_statem.start(Alarm)
    await gen_statem.call(pid, "start")
    looks = 0

    async def rung() -> bool | None:
        nonlocal looks
        looks += 1
        return bool((await sys.get_state(pid))[1]) or None

    await answered(rung, "the ring", pause=0)
    assert looks > 2

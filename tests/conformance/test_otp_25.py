"""Facts about OTP 25 that no case of its suites checks; each was observed on a real OTP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from node_runtime import (
    EXIT,
    Call,
    Enter,
    Event,
    Exit,
    GenServer,
    GenStatem,
    Next,
    Runtime,
    Stop,
    Timeout,
    call,
    exit,
    gen_server,
    gen_statem,
    is_alive,
    keep,
    receive,
    spawn,
    trap_exit,
    until_ended,
)
from tests.support.waiting import eventually


class Slow(GenServer[None]):
    async def init(self) -> None:
        await asyncio.Event().wait()


@pytest.mark.parametrize("traps", [True, False])
async def test_a_starter_that_gives_a_start_up_goes_on_without_an_exit(runtime: Runtime, traps: bool) -> None:
    """proc_lib:start_link/5 unlinks and kills the process, and flushes its EXIT."""
    seen: list[object] = []

    async def starter() -> None:
        trap_exit(traps)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await gen_server.start_link(Slow)
        with pytest.raises(TimeoutError):
            seen.append(await receive(0))
        seen.append("goes on")

    assert await until_ended(spawn(starter)) == "normal"
    assert seen == ["goes on"]
    assert [process.qualname for process in runtime.processes.values()] == []


async def test_an_init_that_is_killed_fails_the_start_and_leaves_no_exit(runtime: Runtime) -> None:
    async def starter() -> None:
        trap_exit(True)
        starting = asyncio.ensure_future(gen_server.start_link(Slow))
        await eventually(lambda: any(process.qualname == "Slow" for process in runtime.processes.values()))
        exit(next(process.pid for process in runtime.processes.values() if process.qualname == "Slow"), "kill")
        with pytest.raises(Exit):
            await starting
        with pytest.raises(TimeoutError):
            assert not isinstance(await receive(0), EXIT)

    assert await until_ended(spawn(starter)) == "normal"


class Failing(GenServer[None]):
    """Stops with a reply, or fails to."""

    def init(self) -> None: ...

    def leave(self) -> str:
        raise Stop("normal", reply="goodbye")

    def terminate(self, reason: object) -> Any:
        raise ValueError("broken")


class FailingLater(Failing):
    def terminate(self, reason: object) -> Any:
        return self._fail()

    async def _fail(self) -> None:
        await asyncio.sleep(0)
        raise ValueError("broken")


@pytest.mark.parametrize("cls", [Failing, FailingLater])
async def test_the_reply_of_a_stop_survives_a_terminate_that_raises(runtime: Runtime, cls: type[Failing]) -> None:
    assert await call(await gen_server.start(cls), Failing.leave) == "goodbye"


@pytest.mark.parametrize("cls", [Failing, FailingLater])
async def test_stop_raises_the_reason_if_the_process_ends_with_another_one(
    runtime: Runtime, cls: type[Failing]
) -> None:
    pid = await gen_server.start(cls)
    with pytest.raises(Exit) as stopped:
        await gen_server.stop(pid)
    assert isinstance(stopped.value.reason, ValueError)
    assert not is_alive(pid)


Log = list[Any]


class Machine(GenStatem[Log]):
    """Records each event; the message of a call is the transition, and `enters` are those of Enter events."""

    state_enter = True
    enters: tuple[Next, ...] = ()

    def init(self) -> Any:
        return "a", []

    def a(self, event: Event) -> Next:
        return self.b(event)

    def b(self, event: Event) -> Next:
        match event:
            case Call("log"):
                return Next(reply=list(self.data))
            case Call(Next() as follows):
                return follows
        self.data.append(event)
        entered = sum(isinstance(one, Enter) for one in self.data) - 2
        return self.enters[entered] if isinstance(event, Enter) and 0 <= entered < len(self.enters) else keep


async def log_after(machine: type[Machine], *transitions: Next) -> Log:
    pid = await gen_statem.start(machine)
    for transition in transitions:
        await gen_statem.call(pid, transition)
    noted: Log = await gen_statem.call(pid, "log")
    return noted[1:]


async def test_a_repeated_enter_names_the_same_previous_state(runtime: Runtime) -> None:
    class Repeating(Machine):
        enters = (Next(repeat=True),)

    assert await log_after(Repeating, Next("b", reply=0)) == [Enter("a"), Enter("a")]


async def test_of_the_timeouts_that_one_transition_sets_only_the_last_of_a_name_counts(runtime: Runtime) -> None:
    late, update = Timeout("t", 60, content=1), Timeout("t", "same", content=2)
    assert await log_after(Machine, Next(reply=0, timeouts=(late, update))) == [update]
    assert await log_after(Machine, Next(reply=0, timeouts=(update, late))) == []
    running = Next(reply=0, timeouts=(late,))
    assert await log_after(Machine, running, Next(reply=0, timeouts=(Timeout("t", 0), update))) == []
    zero = (Timeout("x", 0), Timeout("y", 0), Timeout("x", 0, content=1))
    assert await log_after(Machine, Next(reply=0, timeouts=zero)) == [zero[1], zero[2]]


async def test_an_event_and_the_enter_it_leads_to_are_one_transition(runtime: Runtime) -> None:
    late, update = Timeout("t", 60, content=1), Timeout("t", "same", content=2)

    class Updating(Machine):
        enters = (Next(timeouts=(update,)),)

    class Cancelling(Machine):
        enters = (Next(timeouts=(Timeout("t"),)),)

    assert await log_after(Updating, Next("b", reply=0, timeouts=(late,))) == [Enter("a"), update]
    assert await log_after(Cancelling, Next("b", reply=0, timeouts=(Timeout("t", 0),))) == [Enter("a")]


async def test_init_and_the_first_enter_are_one_transition_too(runtime: Runtime) -> None:
    late, update = Timeout("t", 60, content=1), Timeout("t", "same", content=2)

    class Beginning(Machine):
        def init(self) -> Any:
            return "a", [], Next(timeouts=(late,))

        def a(self, event: Event) -> Next:
            follows = self.b(event)
            return Next(timeouts=(update,)) if isinstance(event, Enter) else follows

    assert await log_after(Beginning) == [update]

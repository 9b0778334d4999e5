"""State machines: transitions, postponing, timeouts, state enter calls, missing states."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from node_runtime import (
    Call,
    Cast,
    Enter,
    Event,
    Exit,
    GenStatem,
    Info,
    Next,
    NoProcess,
    Runtime,
    Stop,
    Timeout,
    exit,
    gen_server,
    gen_statem,
    is_alive,
    keep,
    send,
    sys,
    until_ended,
)
from node_runtime.behaviours.upgrade import live_processes
from node_runtime.behaviours.upgrade.live_processes import raw_state
from tests.support.waiting import begun, eventually

Notes = list[object]


class Door(GenStatem[Notes]):
    """Locked or open; records its events."""

    def init(self, state: str = "locked") -> tuple[str, Notes]:
        return state, []

    def locked(self, event: Event) -> Next:
        follows: Next = keep
        match event:
            case Call("code"):
                follows = Next("open", reply="opened")
            case Call("look"):
                follows = Next(reply="locked")
            case Cast("push") | Call("enter"):
                follows = Next(postpone=True)
            case Cast("vanish"):
                follows = Next("nowhere")
            case Cast("same"):
                follows = Next("locked")
            case Call("stop"):
                follows = Next(stop="shutdown", reply="bye")
            case Cast("stop"):
                raise Stop("shutdown")
            case Cast("forget"):
                follows = None  # type: ignore[assignment]  # the mistake is the point
            case _:
                self.data.append(event)
        return follows

    async def open(self, event: Event) -> Next:
        await asyncio.sleep(0)
        match event:
            case Call("look"):
                return Next(reply="open")
            case Call("enter"):
                return Next(reply="welcome")
            case Cast("lock"):
                return Next("locked")
            case Call("crash"):
                raise ValueError("broken")
            case _:
                self.data.append(event)
                return keep

    def _helper(self) -> None: ...


async def notes(pid: int) -> Notes:
    data: Notes = (await sys.get_state(pid))[1]
    return data


def test_the_public_methods_of_a_machine_are_its_states() -> None:
    assert gen_statem.states_of(Door) == {"locked", "open"}


async def test_a_transition_answers_and_changes_the_state(runtime: Runtime) -> None:
    pid = await gen_statem.start_link(Door, name="door")
    assert await gen_statem.call("door", "look") == "locked"
    assert await gen_statem.call(pid, "code") == "opened"
    assert await gen_statem.call(pid, "look") == "open"
    assert (await sys.get_state(pid))[0] == "open"


async def test_every_kind_of_message_is_an_event(runtime: Runtime) -> None:
    pid = await gen_statem.start_link(Door)
    gen_statem.cast(pid, "anything")
    send(pid, "anything")
    await gen_statem.call(pid, "look")
    assert await notes(pid) == [Cast("anything"), Info("anything")]


async def test_postponed_events_are_handled_in_the_next_state_before_newer_mail(runtime: Runtime) -> None:
    pid = await gen_statem.start_link(Door)
    gen_statem.cast(pid, "push")
    opened = asyncio.ensure_future(gen_statem.call(pid, "code"))
    await begun(opened)
    gen_statem.cast(pid, "newer")
    await opened
    await gen_statem.call(pid, "look")
    assert await notes(pid) == [Cast("push"), Cast("newer")]


class Oven(GenStatem[Notes]):
    """Postpones in one state the timeout that it handles in the next."""

    def init(self) -> tuple[str, Notes]:
        return "baking", []

    def baking(self, event: Event) -> Next:
        self.data.append(event)
        match event:
            case Cast("bake"):
                return Next(timeouts=(Timeout("done", 0, content="bread"),))
            case Timeout():
                return Next(postpone=True)
        return Next("open")

    def open(self, event: Event) -> Next:
        self.data.append(("open", event))
        return keep


async def test_a_timeout_that_is_postponed_is_handled_in_the_next_state(runtime: Runtime) -> None:
    pid = await gen_statem.start(Oven)
    for message in ("bake", "look", "more"):
        gen_statem.cast(pid, message)
    done = Timeout("done", 0, content="bread")
    expected = [Cast("bake"), done, Cast("look"), ("open", done), ("open", Cast("more"))]
    await eventually(lambda: live_processes.raw_state(pid)[1] == expected)


async def test_a_postponed_call_is_answered_in_a_later_state(runtime: Runtime) -> None:
    pid = await gen_statem.start_link(Door)
    waiting = asyncio.ensure_future(gen_statem.call(pid, "enter"))
    await begun(waiting)
    await gen_statem.call(pid, "code")
    assert await waiting == "welcome"


async def test_going_to_the_same_state_is_no_change(runtime: Runtime) -> None:
    pid = await gen_statem.start_link(Door)
    waiting = asyncio.ensure_future(gen_statem.call(pid, "enter"))
    await begun(waiting)
    gen_statem.cast(pid, "same")
    assert await gen_statem.call(pid, "look") == "locked"
    assert not waiting.done()
    await gen_statem.call(pid, "code")
    assert await waiting == "welcome"


async def test_an_event_for_a_missing_state_ends_it_and_names_state_class_and_version(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "__vsn__", "1986.b")
    pid = await gen_statem.start(Door)
    gen_statem.cast(pid, "vanish")
    with pytest.raises(Exit, match=r"Door version 1986\.b does not define the state 'nowhere'"):
        await gen_statem.call(pid, "look")
    assert not is_alive(pid)


async def test_a_missing_initial_state_fails_at_the_first_event(runtime: Runtime) -> None:
    pid = await gen_statem.start(Door, "nowhere")
    assert is_alive(pid)
    with pytest.raises(Exit, match="does not define the state 'nowhere'"):
        await gen_statem.call(pid, "look")


async def test_a_state_may_stop_the_machine(runtime: Runtime) -> None:
    pid = await gen_statem.start(Door)
    assert await gen_statem.call(pid, "stop") == "bye"
    assert not is_alive(pid)
    pid = await gen_statem.start(Door)
    gen_statem.cast(pid, "stop")
    assert await until_ended(pid) == "shutdown"


async def test_a_crash_is_an_exit_at_every_caller(runtime: Runtime) -> None:
    pid = await gen_statem.start(Door)
    waiting = asyncio.ensure_future(gen_statem.call(pid, "never answered"))
    await begun(waiting)
    await gen_statem.call(pid, "code")
    with pytest.raises(Exit, match="broken"):
        await gen_statem.call(pid, "crash")
    with pytest.raises(Exit, match="broken"):
        await waiting


async def test_a_postponed_call_fails_when_the_machine_ends(runtime: Runtime) -> None:
    pid = await gen_statem.start(Door)
    waiting = asyncio.ensure_future(gen_statem.call(pid, "enter"))
    await begun(waiting)
    await gen_statem.call(pid, "look")
    exit(pid, "kill")
    with pytest.raises(Exit) as error:
        await waiting
    assert error.value.reason == "killed"


async def test_a_state_that_returns_no_transition_is_an_error(runtime: Runtime) -> None:
    pid = await gen_statem.start(Door)
    gen_statem.cast(pid, "forget")
    reason = await until_ended(pid)
    assert isinstance(reason, TypeError)
    assert "must return `Next(...)` or `keep`" in str(reason)


async def test_a_call_may_be_replied_to_later_with_its_from(runtime: Runtime) -> None:
    class Desk(GenStatem[list[gen_statem.From[Any]]]):
        def init(self) -> tuple[str, list[gen_statem.From[Any]]]:
            return "open", []

        def open(self, event: Event) -> Next:
            match event:
                case Call("wait", from_):
                    self.data.append(from_)
                case Cast("next"):
                    gen_statem.reply(self.data.pop(0), "your turn")
            return keep

    pid = await gen_statem.start(Desk)
    waiting = asyncio.ensure_future(gen_statem.call(pid, "wait"))
    await begun(waiting)
    gen_statem.cast(pid, "next")
    assert await waiting == "your turn"


async def test_a_call_to_no_process_fails_at_once(runtime: Runtime) -> None:
    with pytest.raises(NoProcess):
        await gen_statem.call("nobody", "look")
    gen_statem.cast("nobody", "look")


async def test_a_gen_server_request_is_refused(runtime: Runtime) -> None:
    pid = await gen_statem.start(Door)
    with pytest.raises(Exit, match=r"use gen_statem\.call"):
        await gen_server.call(pid, Door.locked, Cast("push"))
    assert is_alive(pid)


# ------------------------------------------------------------------ state enter


class Entering(GenStatem[Notes]):
    state_enter = True

    def init(self) -> tuple[str, Notes]:
        return "one", []

    def one(self, event: Event) -> Next:
        self.data.append(("one", event))
        return Next("two", reply="moved") if isinstance(event, Call) else keep

    async def two(self, event: Event) -> Next:
        await asyncio.sleep(0)
        self.data.append(("two", event))
        match event:
            case Enter():
                return Next(timeouts=(Timeout("back", 0.001),))
            case Timeout("back"):
                return Next("one")
        return keep


async def test_entering_a_state_is_its_first_event(runtime: Runtime) -> None:
    pid = await gen_statem.start(Entering)
    assert await gen_statem.call(pid, "move") == "moved"
    await eventually(lambda: runtime.processes[pid].status == "idle" and len(raw_state(pid)[1]) == 5)
    noted: list[Any] = await notes(pid)
    seen = [(state, type(event).__name__) for state, event in noted]
    assert seen == [("one", "Enter"), ("one", "Call"), ("two", "Enter"), ("two", "Timeout"), ("one", "Enter")]
    assert (await notes(pid))[2] == ("two", Enter("one"))


async def test_entering_a_state_may_not_change_it(runtime: Runtime) -> None:
    class Restless(Entering):
        def one(self, event: Event) -> Next:
            return Next("two")

    pid = await gen_statem.start(Restless)
    reason = await until_ended(pid)
    assert "can't postpone or insert events or change the state" in str(reason)


# ------------------------------------------------------------------ timeouts


class Clock(GenStatem[Notes]):
    def init(self) -> tuple[str, Notes]:
        return "day", []

    def day(self, event: Event) -> Next:
        return self._handle(event)

    def night(self, event: Event) -> Next:
        return self._handle(event)

    def _handle(self, event: Event) -> Next:
        match event:
            case Call(Next() as transition):
                return Next(transition.state, reply="ok", timeouts=transition.timeouts)
            case _:
                self.data.append(event)
                return keep


async def do(pid: int, state: str | None = None, *timeouts: Timeout) -> None:
    await gen_statem.call(pid, Next(state, timeouts=timeouts))


async def noted(pid: int, *expected: object) -> None:
    await eventually(lambda: len(live_processes.raw_state(pid)[1]) >= len(expected))
    assert tuple(await notes(pid)) == expected


async def test_a_state_timeout_ends_with_its_state_and_a_generic_one_does_not(runtime: Runtime) -> None:
    pid = await gen_statem.start(Clock)
    await do(pid, None, Timeout("state", 0.002), Timeout("generic", 0.004, generic=True))
    await do(pid, "night")
    await noted(pid, Timeout("generic", 0.004, generic=True))


async def test_setting_a_timeout_again_restarts_it_and_none_cancels_it(runtime: Runtime) -> None:
    pid = await gen_statem.start(Clock)
    await do(pid, None, Timeout("a", 0.001), Timeout("b", 0.001), Timeout("a", 60), Timeout("b"), Timeout("c", 0.003))
    await noted(pid, Timeout("c", 0.003))
    await do(pid, None, Timeout("a", 0.001))
    await noted(pid, Timeout("c", 0.003), Timeout("a", 0.001))


async def test_a_timeout_of_zero_comes_before_mail_that_is_waiting(runtime: Runtime) -> None:
    pid = await gen_statem.start(Clock)
    await sys.suspend(pid)
    asked = asyncio.ensure_future(do(pid, None, Timeout("now", 0)))
    await begun(asked)
    gen_statem.cast(pid, "mail")
    sys.resume(pid)
    await asked
    await noted(pid, Timeout("now", 0), Cast("mail"))


async def test_a_timeout_that_fires_while_suspended_is_delivered_after_resume(runtime: Runtime) -> None:
    pid = await gen_statem.start(Clock)
    await do(pid, None, Timeout("tick", 0.001))
    await sys.suspend(pid)
    await eventually(lambda: runtime.processes[pid].mail)
    assert await notes(pid) == []
    sys.resume(pid)
    await noted(pid, Timeout("tick", 0.001))

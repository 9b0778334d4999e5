"""gen_statem_SUITE of OTP's stdlib in Python: events, their order, timeouts. Each test is named after its case."""

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
    From,
    GenStatem,
    Info,
    Internal,
    Next,
    Runtime,
    Timeout,
    gen_statem,
    is_alive,
    keep,
    process_info,
    reply,
    send,
    spawn,
    sys,
    until_ended,
)
from node_runtime.behaviours.upgrade.live_processes import raw_state
from tests.support.waiting import eventually

Log = list[Any]


class Machine(GenStatem[Log]):
    """Records each event with its state; a call or cast that is a Next is its result."""

    def init(self, begin: Next | None = None) -> Any:
        return ("a", []) if begin is None else ("a", [], begin)

    def a(self, event: Event) -> Next:
        return self._do(event)

    def b(self, event: Event) -> Next:
        return self._do(event)

    async def c(self, event: Event) -> Next:
        await asyncio.sleep(0)
        return self._do(event)

    def _do(self, event: Event) -> Next:
        follows = keep
        match event:
            case Call(Next() as follows):
                self.data.append("call")
            case Cast(Next() as follows):
                self.data.append("cast")
            case Call("wait", from_):
                self.data.append(from_)
            case Call("log"):
                follows = Next(reply=list(self.data))
            case _:
                self.data.append(event)
        return follows


class Entering(Machine):
    state_enter = True

    def b(self, event: Event) -> Next:
        follows = self._do(event)
        return Next(timeouts=(Timeout("soon", 0),)) if isinstance(event, Enter) else follows


class AnyState(GenStatem[Log]):
    """One method for all states, which are values of any kind."""

    callback_mode = "handle_event_function"

    def init(self) -> tuple[tuple[str, int], Log]:
        return ("count", 0), []

    def handle_event(self, event: Event, state: tuple[str, int]) -> Next:
        word, count = state
        match event:
            case Call("count"):
                return Next((word, count + 1), reply=count)
            case Cast("postpone until 2"):
                self.data.append(count)
                return keep if count == 2 else Next(postpone=True)
        return keep


async def log(pid: int) -> Log:
    noted: Log = await gen_statem.call(pid, "log")
    return noted


def do(pid: int, follows: Next) -> None:
    gen_statem.cast(pid, follows)


async def noted(pid: int, *expected: object) -> None:
    """Wait until as many events are recorded, and compare them."""
    machine = process_info(pid).pid

    def enough() -> bool:
        from node_runtime.behaviours.upgrade.live_processes import raw_state

        return len(raw_state(machine)[1]) >= len(expected)

    await eventually(enough)
    assert (await sys.get_state(pid))[1] == list(expected)


# ------------------------------------------------------------------ events


async def test_event_types(runtime: Runtime) -> None:
    """Calls, casts, messages, internal events and timeouts are distinct, also when inserted."""
    pid = await gen_statem.start(Machine)
    gen_statem.cast(pid, 1)
    send(pid, 2)
    do(pid, Next(events=(Cast(3), Info(4), Internal(5)), timeouts=(Timeout("t", 0, content=6),)))
    assert await log(pid) == [Cast(1), Info(2), "cast", Cast(3), Info(4), Internal(5), Timeout("t", 0, content=6)]


async def test_next_events_are_handled_in_their_order_before_all_mail(runtime: Runtime) -> None:
    """next_events of the suite: also those that an inserted event inserts."""
    pid = await gen_statem.start(Machine)
    await sys.suspend(pid)
    do(pid, Next(events=(Cast(Next(events=(Internal(1), Internal(2)))), Internal(3))))
    gen_statem.cast(pid, "mail")
    sys.resume(pid)
    assert await log(pid) == ["cast", "cast", Internal(1), Internal(2), Internal(3), Cast("mail")]


async def test_event_order(runtime: Runtime) -> None:
    """Inserted events, then postponed ones, then timeouts of 0 s, then messages."""
    pid = await gen_statem.start(Machine)
    do(pid, Next(postpone=True))
    do(pid, Next("b", events=(Internal(1),), timeouts=(Timeout("zero", 0),)))
    gen_statem.cast(pid, "mail")
    # The first one was postponed in a; retried in b it is postponed again, and the state does not change any more.
    assert await log(pid) == ["cast", "cast", Internal(1), "cast", Timeout("zero", 0), Cast("mail")]


async def test_a_timeout_of_zero_comes_after_events_inserted_before(runtime: Runtime) -> None:
    pid = await gen_statem.start(Machine)
    do(pid, Next(events=(Cast(Next(timeouts=(Timeout("zero", 0),))), Internal(1))))
    gen_statem.cast(pid, "mail")
    assert await log(pid) == ["cast", "cast", Internal(1), Timeout("zero", 0), Cast("mail")]


async def test_events_inserted_by_an_async_state_keep_the_order_too(runtime: Runtime) -> None:
    pid = await gen_statem.start(Machine)
    do(pid, Next("c"))
    do(pid, Next(events=(Internal(1), Internal(2)), timeouts=(Timeout("zero", 0),)))
    gen_statem.cast(pid, "mail")
    assert await log(pid) == ["cast", "cast", Internal(1), Internal(2), Timeout("zero", 0), Cast("mail")]


async def test_postpone(runtime: Runtime) -> None:
    """Postponed events are handled when the state changes, in their order; going to the same state is no change."""
    pid = await gen_statem.start(AnyState)
    gen_statem.cast(pid, "postpone until 2")
    assert await gen_statem.call(pid, "count") == 0
    assert await gen_statem.call(pid, "count") == 1
    assert await gen_statem.call(pid, "count") == 2
    assert (await sys.get_state(pid)) == (("count", 3), [0, 1, 2])


async def test_an_event_that_is_no_event_cannot_be_inserted(runtime: Runtime) -> None:
    pid = await gen_statem.start(Machine)
    do(pid, Next(events=(Timeout("t"),)))  # type: ignore[arg-type]  # the mistake is the point
    assert "can't be inserted" in str(await until_ended(pid))


# ------------------------------------------------------------------ replies


async def test_replies_are_actions(runtime: Runtime) -> None:
    """{reply, From, Reply} in a list of actions, for calls of others and together with a stop (stop_and_reply)."""
    pid = await gen_statem.start(Machine)
    waiting = [asyncio.ensure_future(gen_statem.call(pid, "wait")) for _ in range(3)]
    await eventually(lambda: len(raw_state(pid)[1]) == 3)
    first, second, third = (await sys.get_state(pid))[1]
    assert await gen_statem.call(pid, Next(reply="mine", replies=((first, 1), (second, 2)))) == "mine"
    do(pid, Next(replies=((third, 3),), stop="shutdown"))
    assert await asyncio.gather(*waiting) == [1, 2, 3]
    assert not is_alive(pid)


async def test_reply_by_another_pid(runtime: Runtime) -> None:
    pid = await gen_statem.start(Machine)
    waiting = asyncio.ensure_future(gen_statem.call(pid, "wait"))
    await eventually(lambda: len(raw_state(pid)[1]) == 1)
    from_: From[str] = (await sys.get_state(pid))[1][0]

    async def helper() -> None:
        reply(from_, "from elsewhere")

    spawn(helper)
    assert await waiting == "from elsewhere"


async def test_a_call_may_be_inserted_again_and_is_answered_once(runtime: Runtime) -> None:
    class Twice(GenStatem[int]):
        def init(self) -> tuple[str, int]:
            return "one", 0

        def one(self, event: Event) -> Next:
            return Next("two", events=(event,)) if isinstance(event, Call) else keep

        def two(self, event: Event) -> Next:
            return Next(reply="answered in two")

    pid = await gen_statem.start(Twice)
    assert await gen_statem.call(pid, "question") == "answered in two"


# ------------------------------------------------------------------ entering states


async def test_state_enter(runtime: Runtime) -> None:
    """At the start, at each change of the state, and when the state is entered again by `repeat`."""
    pid = await gen_statem.start(Entering)
    do(pid, Next("c"))
    do(pid, Next("c"))
    do(pid, Next(repeat=True))
    await noted(pid, Enter("a"), "cast", Enter("a"), "cast", "cast", Enter("c"))


async def test_an_enter_call_may_set_timeouts(runtime: Runtime) -> None:
    """A timeout of 0 s that an enter call sets comes after the events inserted with the transition."""
    pid = await gen_statem.start(Entering)
    do(pid, Next("b", events=(Internal(1),)))
    assert await log(pid) == [Enter("a"), "cast", Enter("a"), Internal(1), Timeout("soon", 0)]


@pytest.mark.parametrize("wrong", [Next("b"), Next(postpone=True), Next(events=(Internal(1),))])
async def test_an_enter_call_may_not_change_the_state(runtime: Runtime, wrong: Next) -> None:
    class Restless(Machine):
        state_enter = True

        def a(self, event: Event) -> Next:
            return wrong

    assert "while it is being entered" in str(await until_ended(await gen_statem.start(Restless)))


async def test_init_may_set_timeouts_and_insert_events(runtime: Runtime) -> None:
    """{ok, State, Data, Actions}: after the enter call."""
    pid = await gen_statem.start(Entering, Next(events=(Internal(1),), timeouts=(Timeout("t", 0),)))
    assert await log(pid) == [Enter("a"), Internal(1), Timeout("t", 0)]
    with pytest.raises(Exit, match="its Next may only set timeouts and insert events"):
        await gen_statem.start(Machine, Next("b"))


# ------------------------------------------------------------------ timeouts


async def test_state_timeout(runtime: Runtime) -> None:
    """It is cancelled by a state change, but not by events or by a transition to the same state."""
    pid = await gen_statem.start(Machine)
    do(pid, Next(timeouts=(Timeout("gone", 0.001), Timeout("gone too", 60))))
    do(pid, Next("b", timeouts=(Timeout("stays", 0.002),)))
    do(pid, Next("b"))
    await noted(pid, "cast", "cast", "cast", Timeout("stays", 0.002))


async def test_generic_timers(runtime: Runtime) -> None:
    """Any number of them by name; they outlive states."""
    pid = await gen_statem.start(Machine)
    one, two = Timeout("one", 0.05, generic=True), Timeout("two", 0.001, generic=True, content="more")
    do(pid, Next(timeouts=(one, two)))
    do(pid, Next("b"))
    await noted(pid, "cast", "cast", two, one)


async def test_an_events_timeout_ends_with_any_event(runtime: Runtime) -> None:
    """{timeout, T, Content}: an inserted event cancels it, too; reading the state does not."""
    pid = await gen_statem.start(Machine)
    do(pid, Next(timeouts=(Timeout("idle", 0.002, event=True),)))
    do(pid, Next(timeouts=(Timeout("idle", 0, event=True),), events=(Internal(1),)))
    await sys.get_status(pid)
    do(pid, Next(timeouts=(Timeout("idle", 0.001, event=True),)))
    await noted(pid, "cast", "cast", Internal(1), "cast", Timeout("idle", 0.001, event=True))


async def test_timeout_cancel_and_update(runtime: Runtime) -> None:
    """None cancels; setting again restarts; "same" changes the content only, and fires at once without a timer."""
    pid = await gen_statem.start(Machine)
    do(pid, Next(timeouts=(Timeout("a", 0.001), Timeout("b", 0.002, content=1), Timeout("c", 60))))
    do(pid, Next(timeouts=(Timeout("a"), Timeout("b", "same", content=2), Timeout("c", 0.003))))
    await noted(pid, "cast", "cast", Timeout("b", 0.002, content=2), Timeout("c", 0.003))
    do(pid, Next(timeouts=(Timeout("d", "same", content="now"),)))
    assert (await log(pid))[-1] == Timeout("d", "same", content="now")


async def test_a_cancelled_timeout_that_has_fired_already_is_not_delivered(runtime: Runtime) -> None:
    pid = await gen_statem.start(Machine)
    do(pid, Next(timeouts=(Timeout("late", 0.001),)))
    await log(pid)
    await sys.suspend(pid)
    do(pid, Next(timeouts=(Timeout("late"),)))
    await eventually(lambda: process_info(pid).mailbox == 2)
    sys.resume(pid)
    assert await log(pid) == ["cast", "cast"]


def test_a_timeout_of_an_event_cannot_be_generic() -> None:
    with pytest.raises(ValueError, match="set either event or generic"):
        Timeout("both", 1.0, generic=True, event=True)

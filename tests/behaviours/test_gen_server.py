"""Servers: calls, casts, their own state, crashes and ends."""

from __future__ import annotations

import asyncio
import logging
import types
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from node_runtime import (
    EXIT,
    CallTimeout,
    Exit,
    From,
    GenServer,
    Ignore,
    NameTaken,
    NoProcess,
    Pid,
    Runtime,
    Stop,
    call,
    call_now,
    call_within,
    cast,
    deferred,
    exit,
    gen_server,
    is_alive,
    link,
    process_info,
    receive,
    reply,
    self_pid,
    send,
    spawn,
    trap_exit,
    until_ended,
    whereis,
)
from tests.support.in_process import run_in_process
from tests.support.subclasses import subclass
from tests.support.waiting import begun, eventually


@dataclass(slots=True)
class State:
    count: int = 0
    seen: list[object] = field(default_factory=list)


class Counter(GenServer[State]):
    def init(self, start: int = 0, *, trapping: bool = False) -> State:
        if trapping:
            trap_exit()
        return State(start)

    def add(self, by: int, *, times: int = 1) -> int:
        self.state.count += by * times
        return self.state.count

    async def slowly_add(self, by: int) -> int:
        count = self.state.count
        await asyncio.sleep(0.001)
        self.state.count = count + by
        return self.state.count

    def note(self, what: object) -> None:
        self.state.seen.append(what)

    def seen(self) -> list[object]:
        return list(self.state.seen)

    def who(self) -> Pid:
        return self_pid()

    async def who_later(self) -> Pid:
        await asyncio.sleep(0)
        return self_pid()

    def crash(self) -> None:
        raise ValueError("broken")

    async def crash_later(self) -> None:
        await asyncio.sleep(0)
        raise ValueError("broken")

    def stop_with(self, reason: object, reply: str) -> str:
        raise Stop(reason, reply=reply)

    def stop_silently(self) -> None:
        raise Stop("shutdown")

    def smuggle(self) -> None:
        self.secret = 1

    def cancel(self) -> None:
        raise asyncio.CancelledError

    async def hang(self) -> None:
        await asyncio.Event().wait()

    def _private(self) -> str:
        return "private"

    def handle_info(self, message: Any) -> None:
        self.state.seen.append(message)


class Listener(GenServer[list[object]]):
    """Records its arguments."""

    def init(self) -> list[object]:
        return []

    def hear(self, /, *args: object, **kwargs: object) -> None:
        self.state.append((args, kwargs))

    @deferred
    def put_off(self, from_: From[None], /, *args: object, **kwargs: object) -> None:
        self.state += ["put off", (args, kwargs)]
        reply(from_, None)

    def heard(self) -> list[object]:
        return self.state


async def test_a_call_returns_what_the_method_returns(runtime: Runtime) -> None:
    pid = await gen_server.start_link(Counter, 10)
    assert await call(pid, Counter.add, 3) == 13
    assert await call(pid, Counter.add, 1, times=5) == 18
    assert await call(pid, Counter.slowly_add, 2) == 20


async def test_arguments_arrive_as_given_with_every_kind_of_request(runtime: Runtime) -> None:
    pid = await gen_server.start(Listener)
    await call(pid, Listener.hear)
    await call(pid, Listener.hear, ("a", "tuple"))
    await call(pid, Listener.hear, None, 2, target="x", method="y")
    await call_within(1.0, pid, Listener.hear, 1, seconds=3, target="x", method="y")
    call_now(pid, Listener.hear, ("a", "tuple"), target="x", method="y")
    cast(pid, Listener.hear)
    cast(pid, Listener.hear, None)
    cast(pid, Listener.hear, ("a", "tuple"))
    cast(pid, Listener.hear, 1, 2)
    cast(pid, Listener.hear, argument=1, target="x", method="y")
    cast(pid, Listener.put_off)
    cast(pid, Listener.put_off, 1)
    names = {"target": "x", "method": "y"}
    assert await call(pid, Listener.heard) == [
        ((), {}), ((("a", "tuple"),), {}), ((None, 2), names), ((1,), {"seconds": 3, **names}),
        ((("a", "tuple"),), names), ((), {}), ((None,), {}), ((("a", "tuple"),), {}), ((1, 2), {}),
        ((), {"argument": 1, **names}), "put off", ((), {}), "put off", ((1,), {}),
    ]  # fmt: skip


class Unbound(GenServer[None]):
    """A server whose handle_info is not a plain function of the class."""

    seen: ClassVar[list[object]] = []

    def init(self) -> None:
        return None

    @staticmethod
    def handle_info(message: object) -> None:
        Unbound.seen.append(message)


async def test_handle_info_is_looked_up_like_any_attribute(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    Unbound.seen.clear()
    pid = await gen_server.start(Unbound)
    send(pid, "static")
    await eventually(lambda: Unbound.seen == ["static"])
    monkeypatch.setattr(Unbound, "handle_info", Unbound.seen.append)
    send(pid, "builtin")
    await eventually(lambda: Unbound.seen == ["static", "builtin"])


async def test_a_missing_process_is_named_once(runtime: Runtime) -> None:
    pid = await gen_server.start(Counter)
    await gen_server.stop(pid)
    for target in (pid, int(pid)):
        with pytest.raises(NoProcess, match=rf"^process <{int(pid)}> has ended$"):
            await call(target, Counter.add, 1)
    with pytest.raises(NoProcess, match=r"^no process is registered as 'counter'$"):
        await call("counter", Counter.add, 1)


async def test_a_server_is_found_by_its_name(runtime: Runtime) -> None:
    pid = await gen_server.start_link(Counter, name="counter")
    assert whereis("counter") == pid
    assert await call("counter", Counter.add, 1) == 1


async def test_a_name_can_be_registered_once(runtime: Runtime) -> None:
    pid = await gen_server.start(Counter, name="counter")
    with pytest.raises(NameTaken) as taken:
        await gen_server.start(Counter, name="counter")
    assert taken.value.pid == pid


async def test_casts_and_calls_of_one_sender_are_served_in_order(runtime: Runtime) -> None:
    pid = await gen_server.start_link(Counter)
    for number in range(200):
        cast(pid, Counter.note, number)
        if number % 20 == 0:
            await call(pid, Counter.note, "call")
    send(pid, "info")
    await call(pid, Counter.note, "last")
    expected: list[object] = []
    for number in range(200):
        expected += [number, "call"] if number % 20 == 0 else [number]
    assert await call(pid, Counter.seen) == [*expected, "info", "last"]


async def test_one_message_is_handled_at_a_time(runtime: Runtime) -> None:
    pid = await gen_server.start_link(Counter)
    await asyncio.gather(*(call(pid, Counter.slowly_add, 1) for _ in range(20)))
    assert await call(pid, Counter.add, 0) == 20


async def test_self_pid_is_the_callee_in_plain_and_async_callbacks(runtime: Runtime) -> None:
    pid = await gen_server.start_link(Counter)
    inner: list[object] = []

    async def caller() -> None:
        me = self_pid()
        inner.append(await call(pid, Counter.who) == pid)
        inner.append(await call(pid, Counter.who_later) == pid)
        inner.append(self_pid() == me)

    await until_ended(spawn(caller))
    assert inner == [True, True, True]


async def test_a_call_to_no_process_fails_at_once(runtime: Runtime) -> None:
    pid = await gen_server.start(Counter)
    exit(pid, "kill")
    with pytest.raises(NoProcess, match=f"^process {pid} has ended$"):
        await call(pid, Counter.add, 1)
    with pytest.raises(NoProcess, match="nobody"):
        await call("nobody", Counter.add, 1)
    cast(pid, Counter.add, 1)
    cast("nobody", Counter.add, 1)


async def test_a_cancellation_that_a_callback_raises_is_a_crash_of_its_own(runtime: Runtime) -> None:
    pid = await gen_server.start(Counter)
    with pytest.raises(Exit, match="CancelledError"):
        await call(pid, Counter.cancel)
    cast(await gen_server.start(Counter, name="counter"), Counter.cancel)
    assert isinstance(await until_ended("counter"), asyncio.CancelledError)


@pytest.mark.parametrize("method", [Counter.crash, Counter.crash_later])
async def test_a_crash_is_an_exit_at_the_caller(
    runtime: Runtime, method: Any, caplog: pytest.LogCaptureFixture
) -> None:
    pid = await gen_server.start(Counter)
    with pytest.raises(Exit, match="ValueError: broken") as error:
        await call(pid, method)
    assert isinstance(error.value.reason, ValueError)
    assert not is_alive(pid)


async def test_every_caller_of_a_crashed_server_gets_its_exit(runtime: Runtime) -> None:
    pid = await gen_server.start(Counter)
    calls = [asyncio.ensure_future(call(pid, Counter.crash_later)), *(
        asyncio.ensure_future(call(pid, Counter.add, 1)) for _ in range(3)
    )]  # fmt: skip
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in results] == [Exit] * 4
    assert len(set(map(id, results))) == 4, "each has its own, for each adds its own frames to it"


async def test_a_killed_server_fails_its_callers(runtime: Runtime) -> None:
    pid = await gen_server.start(Counter)
    waiting = asyncio.ensure_future(call(pid, Counter.hang))
    await eventually(lambda: process_info(pid).status == "running")
    exit(pid, "kill")
    with pytest.raises(Exit) as error:
        await waiting
    assert error.value.reason == "killed"


async def test_a_call_gives_up_after_its_timeout(runtime: Runtime) -> None:
    pid = await gen_server.start(Counter, name="counter")
    with pytest.raises(CallTimeout, match=r"counter did not answer hang within 0\.01 s"):
        await call_within(0.01, pid, Counter.hang)
    assert is_alive(pid)


async def test_a_request_whose_caller_gave_up_is_still_served(runtime: Runtime) -> None:
    pid = await gen_server.start(Counter)
    first = asyncio.ensure_future(call(pid, Counter.slowly_add, 1))
    await begun(first)
    with pytest.raises(CallTimeout):
        await call_within(0.0, pid, Counter.add, 10)
    await first
    assert await call(pid, Counter.add, 0) == 11


async def test_a_server_cannot_wait_for_itself(runtime: Runtime) -> None:
    class Selfish(GenServer[None]):
        def init(self) -> None: ...

        async def ask_myself(self) -> None:
            await call(self_pid(), Selfish.ask_myself)

    pid = await gen_server.start(Selfish)
    with pytest.raises(Exit, match="would wait for itself"):
        await call(pid, Selfish.ask_myself)


async def test_stop_replies_and_exits(runtime: Runtime) -> None:
    pid = await gen_server.start(Counter)
    assert await call(pid, Counter.stop_with, "shutdown", "goodbye") == "goodbye"
    assert not is_alive(pid)


async def test_stop_without_a_reply_is_an_exit_at_the_caller(runtime: Runtime) -> None:
    pid = await gen_server.start(Counter)
    with pytest.raises(Exit) as error:
        await call(pid, Counter.stop_silently)
    assert error.value.reason == "shutdown"


@pytest.mark.parametrize("name", ["_private", "init", "handle_info", "terminate", "code_change", "no_such_thing"])
async def test_only_public_methods_of_the_class_can_be_called(runtime: Runtime, name: str) -> None:
    def method(self: Counter) -> None: ...

    method.__name__ = name
    pid = await gen_server.start(Counter)
    with pytest.raises(Exit, match="has no public method"):
        await call(pid, method)
    assert is_alive(pid)


async def test_only_the_name_of_a_method_travels(runtime: Runtime) -> None:
    class Other(GenServer[None]):
        def add(self, by: int) -> int:
            raise AssertionError("the server's own method is run")

    pid = await gen_server.start(Counter, 1)
    assert await call(pid, Other.add, 2) == 3


async def test_an_inherited_method_is_public_too(runtime: Runtime) -> None:
    class More(Counter):
        def twice(self, by: int) -> int:
            return self.add(by) + by

    pid = await gen_server.start(More)
    assert await call(pid, More.add, 2) == 2
    assert await call(pid, More.twice, 2) == 6


async def test_a_method_put_into_the_class_takes_effect(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    def add(self: Counter, by: int) -> str:
        return "patched"

    pid = await gen_server.start(Counter)
    monkeypatch.setattr(Counter, "add", add)
    patched: object = await call(pid, Counter.add, 1)
    assert patched == "patched"


async def test_other_attributes_cannot_be_assigned_and_the_error_names_them(runtime: Runtime) -> None:
    pid = await gen_server.start(Counter)
    with pytest.raises(Exit, match="'Counter' object has no attribute 'secret'"):
        await call(pid, Counter.smuggle)


def test_a_server_class_may_have_no_slots_and_no_open_bases() -> None:
    class Open:
        pass

    with pytest.raises(TypeError, match="defines __slots__; keep everything"):
        subclass("Slotted", Counter, __slots__=("more",))
    with pytest.raises(TypeError, match="base without __slots__"):
        types.new_class("Opened", (Counter, Open))


async def test_other_messages_go_to_handle_info(runtime: Runtime) -> None:
    pid = await gen_server.start(Counter)
    send(pid, ("tuple", 1))
    assert await call(pid, Counter.seen) == [("tuple", 1)]


async def test_a_message_nobody_handles_is_logged(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    class Deaf(GenServer[None]):
        def init(self) -> None: ...

        def ready(self) -> bool:
            return True

    pid = await gen_server.start(Deaf)
    send(pid, "hello")
    assert await call(pid, Deaf.ready)
    assert "doesn't handle: 'hello'" in caplog.text


# ------------------------------------------------------------------ beginnings


class Late(GenServer[str]):
    async def init(self, outcome: str) -> str:
        await asyncio.sleep(0)
        match outcome:
            case "ignore":
                raise Ignore
            case "stop":
                raise Stop("not today")
            case "crash":
                raise ValueError("broken init")
        return outcome

    def get(self) -> str:
        return self.state


async def test_an_async_init_is_waited_for(runtime: Runtime) -> None:
    pid = await gen_server.start_link(Late, "begun")
    assert await call(pid, Late.get) == "begun"


async def test_init_may_ignore(runtime: Runtime) -> None:
    with pytest.raises(Ignore):
        await gen_server.start_link(Late, "ignore", name="late")
    assert whereis("late") is None


async def test_init_may_stop(runtime: Runtime) -> None:
    with pytest.raises(Exit) as error:
        await gen_server.start_link(Late, "stop", name="late")
    assert error.value.reason == "not today"
    assert whereis("late") is None


async def test_a_failed_init_is_raised_at_the_starter_and_sends_no_signal(runtime: Runtime) -> None:
    outcome: list[object] = []

    async def starter() -> None:
        trap_exit()
        with pytest.raises(Exit, match="broken init"):
            await gen_server.start_link(Late, "crash")
        try:
            outcome.append(await receive(timeout=0.01))
        except TimeoutError:
            outcome.append("no signal")

    assert await until_ended(spawn(starter)) == "normal"
    assert outcome == ["no signal"]


async def test_a_server_is_linked_to_its_starter(runtime: Runtime) -> None:
    started: list[Pid] = []

    async def starter() -> None:
        started.append(await gen_server.start_link(Counter))
        started.append(await gen_server.start(Counter))
        raise Exit("trouble")

    await until_ended(spawn(starter))
    assert [is_alive(pid) for pid in started] == [False, True]


# ------------------------------------------------------------------ ends


class Farewell(GenServer[list[object]]):
    def init(self, log: list[object], *, trapping: bool) -> list[object]:
        if trapping:
            trap_exit()
        return log

    def crash(self) -> None:
        raise ValueError("broken")

    async def terminate(self, reason: object) -> None:
        await asyncio.sleep(0)
        self.state.append(reason if isinstance(reason, str) else type(reason))

    def handle_info(self, message: Any) -> None:
        self.state.append(message)


async def test_terminate_runs_before_stop_returns(runtime: Runtime) -> None:
    log: list[object] = []
    pid = await gen_server.start(Farewell, log, trapping=False)
    await gen_server.stop(pid, "shutdown")
    assert log == ["shutdown"]
    assert not is_alive(pid)


async def test_terminate_runs_after_a_crash(runtime: Runtime) -> None:
    log: list[object] = []
    pid = await gen_server.start(Farewell, log, trapping=False)
    with pytest.raises(Exit):
        await call(pid, Farewell.crash)
    assert log == [ValueError]


async def test_a_trapping_server_terminates_when_its_parent_ends(runtime: Runtime) -> None:
    log: list[object] = []
    pids: list[Pid] = []

    async def parent() -> None:
        pids.append(await gen_server.start_link(Farewell, log, trapping=True))
        raise Stop("shutdown")

    await until_ended(spawn(parent))
    await eventually(lambda: not is_alive(pids[0]))
    assert log == ["shutdown"]


async def test_a_server_that_does_not_trap_exits_ends_without_terminate(runtime: Runtime) -> None:
    log: list[object] = []
    pid = await gen_server.start(Farewell, log, trapping=False)
    exit(pid, "trouble")
    assert not is_alive(pid)
    assert log == []


async def test_an_exit_of_another_process_is_a_message_to_a_trapping_server(runtime: Runtime) -> None:
    log: list[object] = []
    pid = await gen_server.start(Farewell, log, trapping=True)

    async def other() -> None:
        link(pid)
        raise Stop("bye")

    other_pid = spawn(other)
    await eventually(lambda: log == [EXIT(other_pid, "bye")])
    assert is_alive(pid)


async def test_a_crash_report_names_process_module_message_and_reason(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    pid = await gen_server.start(Counter, name="counter")
    cast(pid, Counter.crash)
    await until_ended(pid)
    reports = [record for record in caplog.records if record.name == "node_runtime" and record.levelno == logging.ERROR]
    assert len(reports) == 1
    text = reports[0].getMessage()
    for part in ("gen_server", f"counter {pid}", f"{__name__}:Counter", "ValueError: broken", "crash()"):
        assert part in text
    assert reports[0].exc_info is not None
    assert reports[0].exc_info[2] is not None


async def test_messages_are_counted(runtime: Runtime) -> None:
    pid = await gen_server.start(Counter)
    before = process_info(pid).messages
    for _ in range(40):
        cast(pid, Counter.add, 1)
    await call(pid, Counter.add, 1)
    await call(pid, Counter.slowly_add, 1)
    await eventually(lambda: process_info(pid).status == "idle")
    assert process_info(pid).messages - before == 42


class Opening(GenServer[str]):
    """Its `init` waits for a door, and fails if it is told to."""

    async def init(self, door: asyncio.Event, *, fails: bool = False) -> str:
        await door.wait()
        if fails:
            raise ZeroDivisionError("on purpose")
        return "open"

    def look(self) -> str:
        return self.state


async def test_spawn_link_returns_before_the_end_of_init_whose_failure_is_an_exit_signal(runtime: Runtime) -> None:
    async def parent() -> tuple[str, object]:
        trap_exit()
        door = asyncio.Event()
        pids = [await gen_server.spawn_link(Opening, door), await gen_server.spawn_link(Opening, door, fails=True)]
        assert all(process_info(pid).parent == self_pid() for pid in pids)
        door.set()
        look = await call(pids[0], Opening.look)
        end = await receive(60)
        assert end.pid == pids[1]
        return look, end.reason

    look, reason = await run_in_process(parent)
    assert look == "open"
    assert isinstance(reason, ZeroDivisionError)

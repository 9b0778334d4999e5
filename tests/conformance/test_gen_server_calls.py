"""gen_server_SUITE of OTP's stdlib in Python: start, call, cast. Each test is named after its case."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import pytest

from node_runtime import (
    CallTimeout,
    ChildSpec,
    Deadlock,
    Exit,
    From,
    GenServer,
    Ignore,
    NameTaken,
    NoProcess,
    Pid,
    Runtime,
    Stop,
    Supervisor,
    WouldWait,
    call,
    call_now,
    call_within,
    cast,
    deferred,
    exit,
    gen_server,
    is_alive,
    process_info,
    receive,
    reply,
    self_pid,
    spawn,
    spawn_link,
    supervisor,
    sys,
    trap_exit,
    until_ended,
    whereis,
)
from node_runtime.behaviours.upgrade.live_processes import raw_state
from tests.support.waiting import eventually


class Server(GenServer[list[Any]]):
    """As the server of the suite."""

    def init(self, outcome: str = "ok") -> list[Any]:
        match outcome:
            case "ignore":
                raise Ignore
            case "stop":
                raise Stop("stopped")
            case "crash":
                raise ValueError("broken")
        return []

    def started(self) -> str:
        return "ok"

    def call_stop(self) -> str:
        raise Stop("shutdown", reply="stopped")

    def note(self, what: object) -> None:
        self.state.append(what)

    async def wait(self, event: asyncio.Event) -> str:
        await event.wait()
        return "waited"

    @deferred
    def delayed(self, from_: From[str], what: str) -> None:
        if what == "at once":
            reply(from_, "answered in the callback")
        self.state.append(from_)

    @deferred
    async def delayed_twice(self, from_: From[str]) -> None:
        reply(from_, "first")
        await asyncio.sleep(0)
        reply(from_, "second")

    def answer_all(self, what: str) -> int:
        waiting, self.state = self.state, []
        for from_ in waiting:
            reply(from_, what)
        return len(waiting)

    def hand_out(self) -> From[str]:
        handed: From[str] = self.state.pop()
        return handed

    def ask(self, other: Pid) -> Any:
        return call_now(other, Server.started)

    def ask_back(self, other: Pid, me: Pid) -> Any:
        return call_now(other, Server.ask, me)

    async def ask_later(self, *way: Pid) -> Any:
        if not way:
            return "nobody left to ask"
        return await call(way[0], Server.ask_later, *way[1:])

    async def ask_on_the_side(self, other: Pid, log: list[Any]) -> None:
        async def aside() -> None:
            log.append(await call(other, Server.started))

        log.append(asyncio.create_task(aside()))


# ------------------------------------------------------------------ starting


async def test_start(runtime: Runtime) -> None:
    """Anonymous and named, linked and not; a name twice; ignore, stop and a crash in init."""
    assert await call(await gen_server.start(Server), Server.started) == "ok"
    pid = await gen_server.start(Server, name="my_test_name")
    assert await call("my_test_name", Server.started) == "ok"
    with pytest.raises(NameTaken) as taken:
        await gen_server.start(Server, name="my_test_name")
    assert taken.value.pid == pid
    with pytest.raises(Ignore):
        await gen_server.start(Server, "ignore")
    with pytest.raises(Exit) as stopped:
        await gen_server.start(Server, "stop", name="again")
    assert stopped.value.reason == "stopped"
    with pytest.raises(Exit, match="broken"):
        await gen_server.start(Server, "crash", name="again")
    assert whereis("again") is None


async def test_crash(runtime: Runtime) -> None:
    """A crash ends a linked starter, but not an unlinked one."""

    async def starter(link: bool) -> None:
        pid = await (gen_server.start_link if link else gen_server.start)(Server)
        exit(pid, "crashed")
        await receive(0.01)

    assert await until_ended(spawn(starter, True)) == "crashed"
    assert isinstance(await until_ended(spawn(starter, False)), TimeoutError)


# ------------------------------------------------------------------ calling


async def test_call(runtime: Runtime) -> None:
    """Immediate replies, replies by others, a timeout, and a server that stops with a reply."""
    pid = await gen_server.start(Server, name="my_test_name")
    assert await call("my_test_name", Server.started) == "ok"
    waiting = asyncio.ensure_future(call(pid, Server.delayed, "later"))
    await eventually(lambda: process_info(pid).messages == 3)  # init is one of them
    assert await call(pid, Server.answer_all, "delayed") == 1
    assert await waiting == "delayed"
    with pytest.raises(CallTimeout):
        await call_within(0.001, pid, Server.wait, asyncio.Event())
    other = await gen_server.start(Server)
    assert await call(other, Server.call_stop) == "stopped"
    with pytest.raises(NoProcess):
        await call(other, Server.started)


async def test_call_stop_answers_before_the_end_is_known(runtime: Runtime) -> None:
    """The reply of {stop, Reason, Reply, State} reaches the caller although the server is gone."""
    pid = await gen_server.start(Server)
    assert await call(pid, Server.call_stop) == "stopped"
    assert not is_alive(pid)


async def test_call_with_huge_message_queue(runtime: Runtime) -> None:
    """A caller with many messages in its mailbox still gets its reply."""
    pid = await gen_server.start(Server)
    got: list[object] = []

    async def caller() -> None:
        for number in range(10_000):
            send_to_self(number)
        got.append(await call(pid, Server.started))
        got.append(await receive())

    def send_to_self(number: int) -> None:
        from node_runtime import send

        send(self_pid(), number)

    await until_ended(spawn(caller))
    assert got == ["ok", 0]


async def test_undef_calls(runtime: Runtime) -> None:
    """An unknown request. OTP: the server crashes. Here the caller gets an Exit; see otp-differences."""

    class Elsewhere(GenServer[None]):
        def unknown(self) -> None: ...

    pid = await gen_server.start(Server)
    with pytest.raises(Exit, match="has no public method 'unknown'") as error:
        await call(pid, Elsewhere.unknown)
    assert error.value.reason == "badcall"
    cast(pid, Elsewhere.unknown)
    assert await call(pid, Server.started) == "ok"


async def test_a_dead_or_missing_server_is_an_error_at_once(runtime: Runtime) -> None:
    """call of gen_server_SUITE: noproc instead of a timeout, also for a server that ends with calls in its mailbox."""
    pid = await gen_server.start(Server)
    busy = asyncio.ensure_future(call(pid, Server.wait, asyncio.Event()))
    queued = [asyncio.ensure_future(call_within(None, pid, Server.started)) for _ in range(3)]
    await eventually(lambda: process_info(pid).mailbox == 3)
    exit(pid, "kill")
    results = await asyncio.gather(busy, *queued, return_exceptions=True)
    assert [getattr(result, "reason", result) for result in results] == ["killed"] * 4
    with pytest.raises(NoProcess):
        await call_within(None, pid, Server.started)


# ------------------------------------------------------------------ answers from elsewhere


async def test_reply_by_another_process(runtime: Runtime) -> None:
    """multicall and reply_by of the suite: any process that has the From may reply."""
    pid = await gen_server.start(Server)
    waiting = asyncio.ensure_future(call(pid, Server.delayed, "later"))
    await eventually(lambda: len(raw_state(pid)) == 1)
    from_ = await call(pid, Server.hand_out)

    async def helper() -> None:
        reply(from_, "from the helper")

    spawn(helper)
    assert await waiting == "from the helper"


async def test_the_first_answer_counts(runtime: Runtime) -> None:
    pid = await gen_server.start(Server)
    assert await call(pid, Server.delayed_twice) == "first"
    assert await call(pid, Server.delayed, "at once") == "answered in the callback"
    assert await call(pid, Server.answer_all, "too late") == 1


async def test_a_server_that_exits_with_a_pending_reply_fails_the_call(runtime: Runtime) -> None:
    pid = await gen_server.start(Server)
    waiting = asyncio.ensure_future(call_within(None, pid, Server.delayed, "never"))
    await eventually(lambda: len(raw_state(pid)) == 1)
    await gen_server.stop(pid, "shutdown")
    with pytest.raises(Exit) as error:
        await waiting
    assert error.value.reason == "shutdown"


async def test_an_answer_to_a_cast_is_lost(runtime: Runtime) -> None:
    pid = await gen_server.start(Server)
    cast(pid, Server.delayed, "at once")
    assert await call(pid, Server.answer_all, "nobody listens") == 1


async def test_a_caller_that_gave_up_gets_no_late_answer(runtime: Runtime) -> None:
    """OTP 24 and later: a late reply is dropped, since the caller's alias is gone."""
    pid = await gen_server.start(Server)
    with pytest.raises(CallTimeout):
        await call_within(0.001, pid, Server.delayed, "never in time")
    assert await call(pid, Server.answer_all, "late") == 1


# ------------------------------------------------------------------ no caller waits for ever


async def test_calling_self(runtime: Runtime) -> None:
    """otp_5854 and calling_self: an error at once."""
    pid = await gen_server.start(Server, name="selfish")
    with pytest.raises(Exit, match=f"selfish {pid} would wait for itself") as error:
        await call(pid, Server.ask_later, pid)
    assert isinstance(error.value.reason, Deadlock)
    assert error.value.reason.pids == (pid,)


async def test_a_cycle_of_calls_names_every_process_in_it(runtime: Runtime) -> None:
    """A difference: in OTP each of them waits until its timeout."""
    one = await gen_server.start(Server, name="one")
    two = await gen_server.start(Server, name="two")
    three = await gen_server.start(Server, name="three")
    with pytest.raises(Exit) as error:
        await call_within(None, one, Server.ask_later, two, three, one)
    found = error.value.reason
    while not isinstance(found, Deadlock):
        assert isinstance(found, Exit)
        found = found.reason
    assert found.pids == (three, one, two)
    assert "three" in str(found)
    assert "one" in str(found)
    assert "two" in str(found)
    assert "make one of these calls a cast" in str(found)


async def test_a_call_by_a_task_beside_the_callback_is_no_cycle(runtime: Runtime) -> None:
    """A task left behind by a callback may call the callers of its process, and the process itself."""
    log: list[Any] = []
    pid = await gen_server.start(Server)
    await call(pid, Server.ask_on_the_side, pid, log)
    await eventually(lambda: log[-1] == "ok")


async def test_a_call_that_another_process_can_reply_to_is_no_cycle(runtime: Runtime) -> None:
    """One calls two, which keeps the From; two then calls one; a third process replies to one."""

    class Desk(GenServer[deque[From[str]]]):
        def init(self) -> deque[From[str]]:
            return deque()

        @deferred
        def queue(self, from_: From[str]) -> None:
            self.state.append(from_)

        async def visit(self, other: Pid) -> str:
            return await call(other, Desk.queue)

        async def greet(self, other: Pid) -> str:
            return await call(other, Desk.hello)

        def hello(self) -> str:
            return "hello"

        def first(self) -> From[str]:
            return self.state.popleft()

    one, two = await gen_server.start(Desk), await gen_server.start(Desk)
    visiting = asyncio.ensure_future(call(one, Desk.visit, two))
    await eventually(lambda: len(raw_state(two)) == 1)
    from_ = await call(two, Desk.first)
    greeting = asyncio.ensure_future(call(two, Desk.greet, one))
    await eventually(lambda: process_info(one).mailbox == 1)
    reply(from_, "your turn")
    assert await visiting == "your turn"
    assert await greeting == "hello"


async def test_a_child_that_calls_its_starter_in_init_gets_a_deadlock(runtime: Runtime) -> None:
    class Parent(GenServer[None]):
        def init(self) -> None: ...

        async def begin(self) -> object:
            me = self_pid()
            try:
                return await gen_server.start_link(Child, me)
            except Exit as error:
                return error.reason

        def ready(self) -> bool:
            return True

    class Child(GenServer[None]):
        async def init(self, parent: Pid) -> None:
            await call_within(None, parent, Parent.ready)

    assert isinstance(await call(await gen_server.start(Parent), Parent.begin), Deadlock)


async def test_a_process_that_stops_itself_in_a_callback_gets_a_deadlock(runtime: Runtime) -> None:
    class Suicidal(GenServer[None]):
        def init(self) -> None: ...

        async def end(self) -> object:
            try:
                await gen_server.stop(self_pid())
            except Deadlock as deadlock:
                return deadlock.reason
            return None

    assert await call(await gen_server.start(Suicidal), Suicidal.end) == "calling_self"


async def test_a_process_that_waits_for_an_exit_is_part_of_the_cycle(runtime: Runtime) -> None:
    class Waiting(GenServer[None]):
        def init(self) -> None: ...

        async def until_ended(self, other: Pid) -> object:
            return await until_ended(other)

        async def wait_with(self, other: Pid) -> object:
            return await call_within(None, other, Waiting.until_ended, self_pid())

    one, other = await gen_server.start(Waiting), await gen_server.start(Waiting)
    with pytest.raises(Exit, match="would wait for itself"):
        await call(one, Waiting.until_ended, one)
    one = await gen_server.start(Waiting)
    with pytest.raises(Exit, match=f"{other} would wait for {one}, which waits for {other}"):
        await call(one, Waiting.wait_with, other)
    one, other = await gen_server.start(Waiting), await gen_server.start(Waiting)
    cast(one, Waiting.until_ended, other)
    await eventually(lambda: process_info(one).status == "running")
    with pytest.raises(Exit, match=f"{other} would wait for {one}, which waits for {other}"):
        await call(other, Waiting.wait_with, one)


async def test_a_child_that_calls_the_supervisor_that_terminates_it_gets_a_deadlock(runtime: Runtime) -> None:
    asked: list[object] = []
    sup = await supervisor.start_link(AskedSup, asked)
    await supervisor.terminate_child(sup, "asking")
    assert [type(one) for one in asked] == [Deadlock]


class AskedSup(Supervisor):
    def children(self, asked: list[object]) -> list[ChildSpec]:
        return [ChildSpec("asking", f"{__name__}:start_asking", (asked,), shutdown="infinity")]


async def start_asking(asked: list[object]) -> Pid:
    return await gen_server.start_link(Asking, self_pid(), asked)


class Asking(GenServer[tuple[Pid, list[object]]]):
    def init(self, sup: Pid, asked: list[object]) -> tuple[Pid, list[object]]:
        trap_exit()
        return sup, asked

    async def terminate(self, reason: object) -> None:
        sup, asked = self.state
        try:
            await supervisor.delete_child(sup, "asking")
            asked.append("deleted")
        except Deadlock as deadlock:
            asked.append(deadlock)


# ------------------------------------------------------------------ call_now


async def test_call_now_asks_an_idle_server_from_a_plain_callback(runtime: Runtime) -> None:
    one, two = await gen_server.start(Server), await gen_server.start(Server)
    assert await call(one, Server.ask, two) == "ok"
    assert call_now(two, Server.started) == "ok"
    assert process_info(two).status == "idle"


async def test_call_now_names_at_once_what_it_would_have_to_wait_for(runtime: Runtime) -> None:
    pid, release = await gen_server.start(Server, name="busy"), asyncio.Event()
    with pytest.raises(WouldWait, match="await a call in an async callback"):
        call_now(pid, Server.wait, release)
    with pytest.raises(WouldWait, match="await a call in an async callback"):
        call_now(pid, Server.delayed, "later")
    with pytest.raises(Exit, match="has no public method"):
        call_now(pid, Runtime.start)
    cast(pid, Server.note, 1)
    with pytest.raises(WouldWait, match=r"its mailbox is not empty \(messages: 1\)"):
        call_now(pid, Server.started)
    waiting = asyncio.ensure_future(call(pid, Server.wait, release))
    await eventually(lambda: process_info(pid).callback == "wait")
    with pytest.raises(WouldWait, match=f"busy {pid} can't answer started at once: it is running wait"):
        call_now(pid, Server.started)
    release.set()
    assert await waiting == "waited"
    await sys.suspend(pid)
    with pytest.raises(WouldWait, match="it is suspended"):
        call_now(pid, Server.started)
    sys.resume(pid)
    with pytest.raises(NoProcess):
        call_now("nobody", Server.started)


async def test_call_now_in_a_cycle_names_every_process_in_it(runtime: Runtime) -> None:
    one, two = await gen_server.start(Server, name="one"), await gen_server.start(Server, name="two")
    with pytest.raises(Exit) as error:
        await call(one, Server.ask_back, two, one)
    assert isinstance(error.value.reason, Exit)
    deadlock = error.value.reason.reason
    assert isinstance(deadlock, Deadlock)
    assert deadlock.pids == (one, two)


async def test_a_crash_under_call_now_is_an_exit_at_the_caller_only(runtime: Runtime) -> None:
    pid = await gen_server.start(Server)
    with pytest.raises(Exit, match="takes 1 positional argument"):
        call_now(pid, Server.started, "too much")  # type: ignore[call-overload]  # the mistake is the point
    assert not is_alive(pid)


# ------------------------------------------------------------------ cast, and who asked


async def test_cast(runtime: Runtime) -> None:
    """To a name, to a pid, and to no process."""
    pid = await gen_server.start(Server, name="my_test_name")
    cast("my_test_name", Server.note, 1)
    cast(pid, Server.note, 2)
    cast("nobody", Server.note, 3)
    assert (await sys.get_state(pid)) == []
    await call(pid, Server.started)
    assert (await sys.get_state(pid)) == [1, 2]


async def test_concurrent_calls_get_a_reply_or_an_exit_from_each_server(runtime: Runtime) -> None:
    """multi_call of the suite; here asyncio.gather takes the place of OTP's function."""
    pids = [await gen_server.start(Server) for _ in range(5)]
    exit(pids[2], "kill")
    answers = await asyncio.gather(*(call(pid, Server.started) for pid in pids), return_exceptions=True)
    assert [answer if isinstance(answer, str) else type(answer) for answer in answers] == [
        "ok", "ok", NoProcess, "ok", "ok"
    ]  # fmt: skip


async def test_a_linked_caller_that_traps_exits_gets_the_crash_twice(runtime: Runtime) -> None:
    """As the error of its call, and as an EXIT message."""
    seen: list[object] = []

    async def caller() -> None:
        trap_exit()
        pid = await gen_server.start_link(Server)
        with pytest.raises(Exit):
            await call(pid, Server.hand_out)
        seen.append((await receive(1)).pid == pid)

    await until_ended(spawn_link(caller))
    assert seen == [True]

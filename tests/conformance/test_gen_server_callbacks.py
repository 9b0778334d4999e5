"""gen_server_SUITE of OTP's stdlib in Python: callbacks, termination, states and their versions (53 and 54)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from node_runtime import (
    EXIT,
    TIMEOUT,
    Exit,
    GenServer,
    Pid,
    Runtime,
    Stop,
    call,
    call_within,
    cast,
    exit,
    gen_server,
    is_alive,
    process_info,
    receive,
    send,
    send_after,
    spawn,
    sys,
    trap_exit,
    until_ended,
)
from node_runtime.behaviours.deferred_reply import From, deferred, reply
from node_runtime.behaviours.show.state_view import describe_state
from node_runtime.behaviours.upgrade.live_processes import raw_state
from node_runtime.gen_server import continue_with, idle_timeout
from tests.support.two_versions import TwoVersions
from tests.support.waiting import begun, eventually


class Notes(GenServer[list[object]]):
    def init(
        self, *, go_on: tuple[object, ...] = (), idle: float | None = None, trapping: bool = False
    ) -> list[object]:
        trap_exit(trapping)
        for argument in go_on:
            continue_with(argument)
        idle_timeout(idle)
        return []

    def handle_continue(self, argument: object) -> None:
        self.state.append(("continued", argument))
        if isinstance(argument, int) and argument > 0:
            continue_with(argument - 1)

    async def handle_info(self, message: Any) -> None:
        await asyncio.sleep(0)
        self.state.append(message)

    def note(self, what: object) -> None:
        self.state.append(what)

    def note_and_continue(self, what: object, *arguments: object) -> str:
        self.state.append(what)
        for argument in arguments:
            continue_with(argument)
        return "noted"

    def note_and_wait_idle(self, what: object, seconds: float | None) -> None:
        self.state.append(what)
        idle_timeout(seconds)

    async def note_later(self, what: object, seconds: float | None) -> None:
        await asyncio.sleep(0)
        idle_timeout(seconds)
        self.state.append(what)

    def notes(self) -> list[object]:
        return list(self.state)


# ------------------------------------------------------------------ continue


async def test_continue(runtime: Runtime) -> None:
    """A continue from init runs before the first message, even if that was sent before."""
    pid = await gen_server.start(Notes, go_on=("from init",))
    assert await call(pid, Notes.notes) == [("continued", "from init")]


async def test_continue_from_callbacks(runtime: Runtime) -> None:
    """From a call, a cast and another continue: before all other messages, and after the reply."""
    pid = await gen_server.start(Notes)
    await sys.suspend(pid)
    waiting = asyncio.ensure_future(call(pid, Notes.note_and_continue, "call", 2))
    await begun(waiting)
    cast(pid, Notes.note, "cast")
    send(pid, "message")
    sys.resume(pid)
    assert await waiting == "noted"
    assert await call(pid, Notes.notes) == [
        "call", ("continued", 2), ("continued", 1), ("continued", 0), "cast", "message"
    ]  # fmt: skip


async def test_several_continues_keep_their_order(runtime: Runtime) -> None:
    """A difference: OTP allows one of them in a result."""
    pid = await gen_server.start(Notes, go_on=("a", "b"))
    assert await call(pid, Notes.note_and_continue, "call", "c", "d") == "noted"
    assert await call(pid, Notes.notes) == [
        *(("continued", x) for x in "ab"),
        "call",
        *(("continued", x) for x in "cd"),
    ]


async def test_undef_handle_continue(runtime: Runtime) -> None:
    class Forgetful(GenServer[None]):
        def init(self) -> None:
            continue_with("this")

    pid = await gen_server.start(Forgetful)
    reason = await until_ended(pid)
    assert isinstance(reason, NotImplementedError)
    assert "Forgetful has no handle_continue()" in str(reason)


def test_continues_and_timeouts_are_refused_outside_server_callbacks() -> None:
    async def body() -> None:
        async with Runtime():
            with pytest.raises(RuntimeError, match="acts for the calling process"):
                continue_with("nothing")

            async def plain() -> None:
                idle_timeout(1)

            reason = await until_ended(spawn(plain))
            assert "works only in a callback of a server" in str(reason)

    asyncio.run(body())


# ------------------------------------------------------------------ idle timeouts


async def test_idle_timeout(runtime: Runtime) -> None:
    """{ok, State, Timeout} and {noreply, State, Timeout}: a message `timeout` when nothing else comes."""
    pid = await gen_server.start(Notes, idle=0.001)
    await eventually(lambda: raw_state(pid) == [TIMEOUT(0.001)])
    cast(pid, Notes.note_and_wait_idle, "cast", 0.002)
    await call(pid, Notes.note_later, "call", 0.003)
    await eventually(lambda: len(raw_state(pid)) == 4)
    assert await call(pid, Notes.notes) == [TIMEOUT(0.001), "cast", "call", TIMEOUT(0.003)]


async def test_any_message_cancels_an_idle_timeout(runtime: Runtime) -> None:
    pid = await gen_server.start(Notes, idle=0.005)
    await call(pid, Notes.note, "message")
    await call(pid, Notes.note_and_wait_idle, "again", 0.005)
    await call(pid, Notes.note_and_wait_idle, "never mind", None)
    send_after(0.02, pid, "later")
    await eventually(lambda: "later" in raw_state(pid))
    assert await call(pid, Notes.notes) == ["message", "again", "never mind", "later"]


async def test_reading_the_state_of_a_server_does_not_restart_its_timeout(runtime: Runtime) -> None:
    """A difference: in OTP any system message restarts the timeout, so frequent reads keep it from firing."""
    pid = await gen_server.start(Notes, idle=0.01)

    async def look() -> None:
        while True:
            await sys.get_status(pid)
            await asyncio.sleep(0)

    looking = asyncio.ensure_future(look())
    await eventually(lambda: raw_state(pid) == [TIMEOUT(0.01)])
    looking.cancel()


async def test_an_idle_timeout_of_a_suspended_server_is_handled_when_it_is_resumed(runtime: Runtime) -> None:
    pid = await gen_server.start(Notes, idle=0.001)
    await sys.suspend(pid)
    await eventually(lambda: process_info(pid).mailbox == 1)
    assert await sys.get_state(pid) == []
    sys.resume(pid)
    await eventually(lambda: raw_state(pid) == [TIMEOUT(0.001)])


# ------------------------------------------------------------------ info, stop, terminate


async def test_info(runtime: Runtime) -> None:
    """Any message that is not a request, from any process."""
    pid = await gen_server.start(Notes, trapping=True)

    async def other() -> None:
        from node_runtime import link

        link(pid)
        send(pid, ("hello", 1))

    other_pid = spawn(other)
    await eventually(lambda: len(raw_state(pid)) == 2)
    assert await call(pid, Notes.notes) == [("hello", 1), EXIT(other_pid, "normal")]


class Ending(GenServer[list[object]]):
    def init(self, log: list[object], trapping: bool = False) -> list[object]:
        trap_exit(trapping)
        return log

    def stop(self, reason: object) -> None:
        raise Stop(reason)

    def crash(self) -> None:
        raise ValueError("broken")

    def terminate(self, reason: object) -> None:
        self.state.append(reason if isinstance(reason, str) else type(reason).__name__)


@pytest.mark.parametrize("reason", ["normal", "shutdown", "other"])
async def test_stop(runtime: Runtime, reason: str) -> None:
    """stop1 to stop10 of the suite: by pid and by name, with a reason, and of a process that is gone."""
    log: list[object] = []
    pid = await gen_server.start(Ending, log, name="to_stop")
    await gen_server.stop("to_stop", reason)
    assert log == [reason]
    assert not is_alive(pid)
    for target in (pid, "to_stop"):
        with pytest.raises(Exit) as error:
            await gen_server.stop(target)
        assert error.value.reason == "noproc"


async def test_stop_times_out(runtime: Runtime) -> None:
    class Stubborn(GenServer[None]):
        def init(self) -> None: ...

        async def terminate(self, reason: object) -> None:
            await asyncio.Event().wait()

    pid = await gen_server.start(Stubborn)
    with pytest.raises(TimeoutError):
        await gen_server.stop(pid, timeout=0.001)
    assert is_alive(pid)
    exit(pid, "kill")
    assert not is_alive(pid)


async def test_terminate_gets_the_reason(runtime: Runtime) -> None:
    log: list[object] = []
    for reason in ("normal", "shutdown", "other"):
        cast(await gen_server.start(Ending, log), Ending.stop, reason)
    crashing = await gen_server.start(Ending, log)
    cast(crashing, Ending.crash)
    await until_ended(crashing)
    assert log == ["normal", "shutdown", "other", "ValueError"]


@pytest.mark.parametrize("cls", ["ChangesItsMind", "ChangesItsMindLater"])
async def test_terminate_may_give_another_reason(runtime: Runtime, cls: str) -> None:
    """As in OTP, where an exit in terminate/2 is the reason that other processes get."""
    pid = await gen_server.start(globals()[cls])
    ended = asyncio.ensure_future(until_ended(pid))
    await begun(ended)
    with pytest.raises(Exit) as stopped:
        await gen_server.stop(pid)
    assert stopped.value.reason == await ended == ("shutdown", "mine")


class ChangesItsMind(GenServer[None]):
    def init(self) -> None: ...

    def terminate(self, reason: object) -> None:
        raise Stop(("shutdown", "mine"))


class ChangesItsMindLater(GenServer[None]):
    def init(self) -> None: ...

    async def terminate(self, reason: object) -> None:
        await asyncio.sleep(0)
        raise Stop(("shutdown", "mine"))


async def test_a_server_that_traps_exits_obeys_its_parent_only(runtime: Runtime) -> None:
    log: list[object] = []
    pids: list[Pid] = []

    async def parent() -> None:
        pids.append(await gen_server.start_link(Ending, log, True))
        await receive()

    above = spawn(parent)
    await eventually(lambda: pids)
    exit(pids[0], "from a stranger")
    await eventually(lambda: process_info(pids[0]).mailbox == 0)
    assert is_alive(pids[0])
    exit(above, "shutdown")
    await eventually(lambda: not is_alive(pids[0]))
    assert log == ["shutdown"]


async def test_undef_terminate(runtime: Runtime) -> None:
    """undef_terminate1 and 2: terminate is optional."""
    pid = await gen_server.start(Notes)
    await gen_server.stop(pid, "other")
    assert not is_alive(pid)


async def test_undef_handle_info(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    """A message without handle_info is logged, and the server goes on."""

    class Deaf(GenServer[None]):
        def init(self) -> None: ...

        def ready(self) -> bool:
            return True

    pid = await gen_server.start(Deaf)
    send(pid, "hello")
    assert await call(pid, Deaf.ready)
    assert "doesn't handle: 'hello'" in caplog.text


async def test_undef_init(runtime: Runtime) -> None:
    class Unborn(GenServer[None]):
        pass

    with pytest.raises(Exit, match=r"Unborn has no init\(\)"):
        await gen_server.start(Unborn)


# ------------------------------------------------------------------ what is shown


class Secretive(GenServer[dict[str, str]]):
    def init(self) -> dict[str, str]:
        return {"open": "word", "closed": "sesame"}

    def crash(self) -> None:
        raise ValueError("broken")

    def format_status(self) -> object:
        if "format" in self.state:
            raise KeyError("broken format_status")
        return {"open": self.state["open"]}

    def break_it(self) -> None:
        self.state["format"] = "broken"


async def test_error_format_status(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    """format_status hides parts of the state in statuses, observers' views and crash reports; get_state shows all."""
    pid = await gen_server.start(Secretive)
    assert (await sys.get_status(pid)).state == {"open": "word"}
    assert "sesame" not in str(describe_state(Secretive, await sys.get_state(pid)))
    assert (await sys.get_state(pid))["closed"] == "sesame"
    cast(pid, Secretive.crash)
    await until_ended(pid)
    assert "word" in caplog.text
    assert "sesame" not in caplog.text


async def test_terminate_crash_format(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    """After a failure in format_status nothing of the state is shown anywhere."""
    pid = await gen_server.start(Secretive)
    await call(pid, Secretive.break_it)
    assert (await sys.get_status(pid)).state == "format_status raised KeyError"
    with pytest.raises(Exit):
        await call(pid, Secretive.crash)
    assert "sesame" not in caplog.text
    assert [record.levelno for record in caplog.records if record.name == "node_runtime"] == [logging.ERROR]


# ------------------------------------------------------------------ states and versions


async def test_get_state(runtime: Runtime) -> None:
    """By pid and by name, also of a suspended server."""
    pid = await gen_server.start(Notes, name="notes")
    await call(pid, Notes.note, 1)
    assert await sys.get_state("notes") == [1]
    await sys.suspend(pid)
    assert await sys.get_state(pid) == [1]


async def test_replace_state(runtime: Runtime) -> None:
    """Also of a suspended server; a function that fails leaves the state unchanged."""
    pid = await gen_server.start(Notes)
    assert await sys.replace_state(pid, lambda state: [*state, "replaced"]) == ["replaced"]
    await sys.suspend(pid)
    await sys.replace_state(pid, lambda state: [*state, "again"])
    with pytest.raises(ZeroDivisionError):
        await sys.replace_state(pid, lambda state: 1 / 0)
    sys.resume(pid)
    assert await call(pid, Notes.notes) == ["replaced", "again"]


VERSION = """
from node_runtime import GenServer, deferred, reply
class Server(GenServer):
    def init(self):
        return ["old"]
    def state_now(self):
        return self.state
"""


@pytest.fixture
def server_module() -> Iterator[TwoVersions]:
    versions = TwoVersions("conforming_server")
    yield versions
    versions.remove()


async def test_undef_code_change(runtime: Runtime, server_module: TwoVersions) -> None:
    """OTP: an error, and the server is unchanged. Here a class without code_change keeps its state unchanged."""
    server = server_module.load(VERSION)["Server"]
    pid = await gen_server.start(server)
    await sys.suspend(pid)
    sys.change_code(pid, "old")
    sys.resume(pid)
    assert await call(pid, server.state_now) == ["old"]


async def test_a_code_change_that_fails_leaves_server_and_state(runtime: Runtime, server_module: TwoVersions) -> None:
    server = server_module.load(VERSION)["Server"]
    pid = await gen_server.start(server)
    server_module.load(
        VERSION
        + """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        raise ValueError(f"no way from {old_vsn}")
"""
    )
    await sys.suspend(pid)
    with pytest.raises(ValueError, match="no way from old"):
        sys.change_code(pid, "old")
    sys.resume(pid)
    assert await call(pid, server.state_now) == ["old"]


class Desk(GenServer[list[From[str]]]):
    def init(self) -> list[From[str]]:
        return []

    @deferred
    def wait(self, from_: From[str]) -> None:
        self.state.append(from_)

    def next(self) -> None:
        reply(self.state.pop(0), "your turn")


async def test_a_pending_reply_survives_a_code_change(runtime: Runtime) -> None:
    """A From in the state is an ordinary value: the new version may reply to a request that the old one took."""

    pid = await gen_server.start(Desk)
    waiting = asyncio.ensure_future(call_within(None, pid, Desk.wait))
    await eventually(lambda: raw_state(pid))
    await sys.suspend(pid)
    sys.change_code(pid, "old")
    sys.resume(pid)
    await call(pid, Desk.next)
    assert await waiting == "your turn"

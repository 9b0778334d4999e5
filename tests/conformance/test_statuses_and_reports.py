"""Cases of gen_server_SUITE, gen_statem_SUITE and sys: statuses, crash reports, and starts that fail."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from node_runtime import (
    Call,
    CallTimeout,
    Event,
    Exit,
    GenServer,
    GenStatem,
    Ignore,
    Info,
    Next,
    NoProcess,
    Pid,
    Runtime,
    Stop,
    Timeout,
    call,
    call_within,
    cast,
    gen_server,
    gen_statem,
    is_alive,
    keep,
    send,
    sys,
    until_ended,
    whereis,
)
from node_runtime.behaviours.show.log_format import one_line
from tests.support.waiting import begun, eventually


class Server(GenServer[dict[str, Any]]):
    def init(self, outcome: str = "ok") -> dict[str, Any]:
        if outcome == "crash":
            raise ValueError("broken")
        if outcome == "stop":
            raise Stop("stopped")
        return {"open": "word", "closed": "sesame", "casts": 0}

    def fine(self) -> str:
        return "fine"

    def note(self) -> None:
        self.state["casts"] += 1

    def casts(self) -> int:
        count: int = self.state["casts"]
        return count

    async def wait(self) -> None:
        await asyncio.Event().wait()

    def crash(self, what: object = None) -> None:
        raise ValueError("broken")

    def handle_info(self, message: Any) -> None:
        undefined_function(message)  # type: ignore[name-defined]  # noqa: F821

    def format_status(self) -> object:
        if self.state.get("closed") == "broken":
            raise KeyError("format_status")
        return {"open": self.state["open"]}

    def break_status(self) -> None:
        self.state["closed"] = "broken"


class Machine(GenStatem[list[object]]):
    """A lamp that notes its events."""

    def init(self, outcome: str = "ok") -> Any:
        if outcome == "crash":
            raise ValueError("broken")
        if outcome == "ignore":
            raise Ignore
        return "dark", []

    def dark(self, event: Event) -> Any:
        match event:
            case Call("log"):
                return Next(reply=list(self.data))
            case Call("wait"):
                return keep
            case Call("bad"):
                return "no transition"
            case Info("zero"):
                self.data.append("zero")
                return Next(timeouts=(Timeout("t", 0, content="due"),))
            case Info("undef"):
                undefined_function(event)  # type: ignore[name-defined]  # noqa: F821
            case Timeout(content=content):
                self.data.append(content)
        return keep


# ------------------------------------------------------------------ gen_server


@pytest.mark.parametrize("size", [10, 100_000], ids=["format_log_1", "format_log_2"])
async def test_format_log(runtime: Runtime, caplog: pytest.LogCaptureFixture, size: int) -> None:
    """A crash report names process, reason, last message and state, and is short however long these are."""
    pid = await gen_server.start(Server, name="my_server")
    cast(pid, Server.crash, "x" * size)
    await until_ended(pid)
    [report] = [record.getMessage() for record in caplog.records if record.name == "node_runtime"]
    assert "my_server" in report
    assert "ValueError" in str(caplog.records[-1].exc_info) or "ValueError" in caplog.text
    assert "crash" in report
    assert "word" in report
    assert "sesame" not in report
    assert len(report) < 5_000
    assert len(one_line("x" * size)) < 1_000


async def test_format_all_status_and_call_format_status(runtime: Runtime) -> None:
    """format_status is called for a status, also of a suspended server, and not for get_state."""
    pid = await gen_server.start(Server)
    assert (await sys.get_status(pid)).state == {"open": "word"}
    await sys.suspend(pid)
    status = await sys.get_status(pid)
    assert (status.state, status.owners != ()) == ({"open": "word"}, True)
    assert (await sys.get_state(pid))["closed"] == "sesame"
    sys.resume(pid)
    assert await call(pid, Server.fine) == "fine"


async def test_crash_in_format_status(runtime: Runtime) -> None:
    """A format_status that fails harms neither the server nor the status."""
    pid = await gen_server.start(Server)
    await call(pid, Server.break_status)
    assert (await sys.get_status(pid)).state == "format_status raised KeyError"
    assert await call(pid, Server.fine) == "fine"


async def test_undef_terminate2(runtime: Runtime) -> None:
    """A server without terminate ends with the error of the callback that failed."""

    class Bare(GenServer[None]):
        def init(self) -> None: ...

        def crash(self) -> None:
            raise ValueError("broken")

    pid = await gen_server.start(Bare)
    with pytest.raises(Exit) as ended:
        await call(pid, Bare.crash)
    assert isinstance(ended.value.reason, ValueError)
    assert not is_alive(pid)


async def test_undef_in_handle_info(runtime: Runtime) -> None:
    """An undefined function that a handle_info calls is a crash, unlike a missing handle_info."""
    pid = await gen_server.start(Server)
    ending = asyncio.ensure_future(until_ended(pid))
    await begun(ending)
    send(pid, "hello")
    assert isinstance(await ending, NameError)


async def test_cast_fast(runtime: Runtime) -> None:
    """All casts arrive before the call that follows them."""
    pid = await gen_server.start(Server)
    for _ in range(10_000):
        cast(pid, Server.note)
    assert await call(pid, Server.casts) == 10_000


@pytest.mark.parametrize("outcome", ["crash", "stop"])
async def test_otp_7669_a_name_is_free_again_when_the_start_has_failed(runtime: Runtime, outcome: str) -> None:
    for _ in range(3):
        with pytest.raises(Exit):
            await gen_server.start_link(Server, outcome, name="taken")
        assert whereis("taken") is None
    assert await gen_server.start(Server, name="taken") == whereis("taken")


async def test_abnormal1_a_call_that_times_out_leaves_the_server(runtime: Runtime) -> None:
    pid = await gen_server.start(Server)
    waiting = asyncio.ensure_future(call(pid, Server.wait))
    await begun(waiting)
    with pytest.raises(CallTimeout):
        await call_within(0.001, pid, Server.fine)
    assert is_alive(pid)
    waiting.cancel()


async def test_abnormal2_a_callback_that_fails_fails_its_caller_and_later_ones(runtime: Runtime) -> None:
    pid = await gen_server.start(Server)
    with pytest.raises(Exit):
        await call(pid, Server.crash)
    with pytest.raises(NoProcess):
        await call(pid, Server.fine)


# ------------------------------------------------------------------ gen_statem


async def test_sys1(runtime: Runtime) -> None:
    """A suspended machine shows its status, answers no call, and goes on when it is resumed."""
    pid = await gen_statem.start(Machine)
    assert (await sys.get_status(pid)).state == []
    await sys.suspend(pid)
    with pytest.raises(CallTimeout):
        await gen_statem.call(pid, "log", timeout=0.001)
    sys.resume(pid)
    assert await gen_statem.call(pid, "log") == []


async def test_start5a_and_5b(runtime: Runtime) -> None:
    """A machine whose init fails or ignores leaves neither a process nor a name, linked or not."""
    for begin in (gen_statem.start, gen_statem.start_link):
        with pytest.raises(Exit, match="broken"):
            await begin(Machine, "crash", name="machine")
        with pytest.raises(Ignore):
            await begin(Machine, "ignore", name="machine")
        assert whereis("machine") is None
    assert not runtime.processes


async def test_statem_abnormal1(runtime: Runtime) -> None:
    """A call that is not answered times out, and the machine goes on."""
    pid = await gen_statem.start(Machine)
    with pytest.raises(CallTimeout):
        await gen_statem.call(pid, "wait", timeout=0.001)
    assert await gen_statem.call(pid, "log") == []


async def test_statem_abnormal2(runtime: Runtime) -> None:
    """A state that returns no transition ends the machine, and the caller is told."""
    pid = await gen_statem.start(Machine)
    with pytest.raises(Exit, match="no transition"):
        await gen_statem.call(pid, "bad")
    assert not is_alive(pid)


async def test_handle_event_timeout_zero(runtime: Runtime) -> None:
    """A timeout of zero fires before a message that is already in the mailbox."""
    pid = await gen_statem.start(Machine)
    await sys.suspend(pid)
    send(pid, "zero")
    send(pid, "zero")
    sys.resume(pid)
    await eventually(lambda: _noted(pid) == 4)
    assert await gen_statem.call(pid, "log") == ["zero", "due", "zero", "due"]


def _noted(pid: Pid) -> int:
    from node_runtime.behaviours.upgrade.live_processes import raw_state

    return len(raw_state(pid)[1])


async def test_statem_undef_in_handle_info(runtime: Runtime) -> None:
    pid = await gen_statem.start(Machine)
    ending = asyncio.ensure_future(until_ended(pid))
    await begun(ending)
    send(pid, "undef")
    assert isinstance(await ending, NameError)

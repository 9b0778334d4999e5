"""gen_statem_SUITE of OTP's stdlib in Python: start, stop, states and their versions (53 to 55)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from node_runtime import (
    Call,
    CallTimeout,
    Cast,
    Event,
    Exit,
    GenStatem,
    Ignore,
    NameTaken,
    Next,
    NoProcess,
    Runtime,
    Stop,
    call_now,
    gen_server,
    gen_statem,
    is_alive,
    keep,
    process_info,
    sys,
    until_ended,
)
from node_runtime.behaviours.show.state_view import describe_state
from tests.support.two_versions import TwoVersions
from tests.support.waiting import begun, eventually


class Machine(GenStatem[dict[str, str]]):
    def init(self, outcome: str = "ok") -> tuple[str, dict[str, str]]:
        match outcome:
            case "ignore":
                raise Ignore
            case "stop":
                raise Stop("stopped")
            case "crash":
                raise ValueError("broken")
        return "idle", {"open": "word", "closed": "sesame"}

    def idle(self, event: Event) -> Next:
        match event:
            case Call("hello"):
                return Next(reply="hi")
            case Call("stop"):
                return Next(reply="bye", stop="normal")
            case Cast("crash"):
                raise ValueError("broken")
            case _:
                return keep

    def format_status(self) -> object:
        return {"open": self.data["open"]}


async def test_start(runtime: Runtime) -> None:
    """start1 to start8, stop_and_reply, shutdown of the suite."""
    assert await gen_statem.call(await gen_statem.start_link(Machine), "hello") == "hi"
    pid = await gen_statem.start(Machine, name="my_statem")
    with pytest.raises(NameTaken):
        await gen_statem.start(Machine, name="my_statem")
    with pytest.raises(Ignore):
        await gen_statem.start(Machine, "ignore")
    with pytest.raises(Exit) as stopped:
        await gen_statem.start(Machine, "stop")
    assert stopped.value.reason == "stopped"
    with pytest.raises(Exit, match="broken"):
        await gen_statem.start(Machine, "crash")
    assert await gen_statem.call("my_statem", "stop") == "bye"
    assert not is_alive(pid)
    with pytest.raises(NoProcess):
        await gen_statem.call("my_statem", "hello")


async def test_stop(runtime: Runtime) -> None:
    pid = await gen_statem.start(Machine)
    await gen_statem.stop(pid, "shutdown")
    with pytest.raises(NoProcess):
        await gen_statem.stop(pid)


async def test_call_times_out(runtime: Runtime) -> None:
    pid = await gen_statem.start(Machine)
    with pytest.raises(CallTimeout):
        await gen_statem.call(pid, "never answered", timeout=0.001)
    assert await gen_statem.call(pid, "hello") == "hi"


async def test_error_format_status(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    """Data that format_status hides is hidden everywhere except in get_state."""
    pid = await gen_statem.start(Machine)
    status = await sys.get_status(pid)
    assert "sesame" not in str(status.state)
    assert "sesame" not in str(describe_state(Machine, await sys.get_state(pid)))
    gen_statem.cast(pid, "crash")
    await until_ended(pid)
    assert "sesame" not in caplog.text


async def test_get_state_and_replace_state(runtime: Runtime) -> None:
    """Name and data as a pair, also of a suspended machine; a function that fails leaves both unchanged."""
    pid = await gen_statem.start(Machine)
    await sys.suspend(pid)
    assert (await sys.get_state(pid))[0] == "idle"
    await sys.replace_state(pid, lambda state: (state[0], {**state[1], "open": "new"}))
    with pytest.raises(ZeroDivisionError):
        await sys.replace_state(pid, lambda state: 1 / 0)
    wrong: Any
    for wrong in ("open", ("open",), None, ("open", {}, "more")):
        with pytest.raises(TypeError, match="Machine"):
            await sys.replace_state(pid, lambda state, wrong=wrong: wrong)  # type: ignore[misc]  # mypy sees one argument
    sys.resume(pid)
    assert await sys.get_state(pid) == ("idle", {"open": "new", "closed": "sesame"})


async def test_a_state_machine_is_no_server(runtime: Runtime) -> None:
    pid = await gen_statem.start(Machine)
    with pytest.raises(Exit, match="use gen_statem"):
        await gen_server.call(pid, Machine.idle, Cast(1))
    with pytest.raises(Exit, match="works only with servers"):
        call_now(pid, Machine.idle, Cast(1))


# ------------------------------------------------------------------ versions


FUNCTIONS = """
from node_runtime import Call, Cast, Enter, GenStatem, Next, Timeout, keep
class Machine(GenStatem):
    def init(self):
        return "locked", []
    def locked(self, event):
        if event == Cast("later"):
            return Next(postpone=True)
        if event == Cast("timer"):
            return Next(timeouts=(Timeout("t", 0.001),))
        return Next(reply=("locked", list(self.data))) if type(event) is Call else keep
    def open(self, event):
        self.data.append(type(event).__name__)
        return Next(reply=("open", list(self.data))) if type(event) is Call else keep
"""

ONE_FOR_ALL = """
from node_runtime import Call, GenStatem, Next, keep
class Machine(GenStatem):
    callback_mode = "handle_event_function"
    state_enter = True
    def init(self):
        return 0, []
    def handle_event(self, event, state):
        self.data.append((type(event).__name__, state))
        return Next(reply=list(self.data)) if type(event) is Call else keep
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        return (extra, 1), list(state[1])
"""

ENTERED = (
    FUNCTIONS
    + """
    state_enter = True
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        return extra, list(state[1])
"""
)


@pytest.fixture
def module() -> Iterator[TwoVersions]:
    versions = TwoVersions("conforming_statem")
    yield versions
    versions.remove()


async def upgrade(pid: int, extra: object) -> None:
    await sys.suspend(pid)
    sys.change_code(pid, "old", extra)
    sys.resume(pid)


async def test_code_change(runtime: Runtime, module: TwoVersions) -> None:
    """The callback mode is read again: from a method for each state to one for all, with a state of another kind."""
    pid = await gen_statem.start(module.load(FUNCTIONS)["Machine"])
    assert await gen_statem.call(pid, "who") == ("locked", [])
    module.load(ONE_FOR_ALL)
    await upgrade(pid, "locked")
    assert await gen_statem.call(pid, "who") == [("Call", ("locked", 1))]


async def test_a_soft_update_reads_the_callback_mode_too(runtime: Runtime, module: TwoVersions) -> None:
    """A difference: OTP keeps the old mode, and crashes at the next event."""
    pid = await gen_statem.start(module.load(FUNCTIONS)["Machine"])
    module.load(ONE_FOR_ALL)
    assert await gen_statem.call(pid, "who") == [("Call", "locked")]


async def test_an_invalid_callback_mode_fails_before_any_process_gets_it(runtime: Runtime, module: TwoVersions) -> None:
    pid = await gen_statem.start(module.load(FUNCTIONS)["Machine"])
    with pytest.raises(TypeError, match="callback_mode is 'sideways'"):
        module.prepare(ONE_FOR_ALL.replace("handle_event_function", "sideways"))
    assert await gen_statem.call(pid, "who") == ("locked", [])


async def test_a_changed_state_is_not_entered_and_retries_nothing(runtime: Runtime, module: TwoVersions) -> None:
    """No enter call, no retry of postponed events, no cancelled state timeout: as observed in OTP."""
    pid = await gen_statem.start(module.load(FUNCTIONS)["Machine"])
    gen_statem.cast(pid, "later")
    gen_statem.cast(pid, "timer")
    await gen_statem.call(pid, "who")
    module.load(ENTERED)
    await sys.suspend(pid)
    await eventually(lambda: process_info(pid).mailbox == 1)
    sys.change_code(pid, "old", "open")
    sys.resume(pid)
    assert await gen_statem.call(pid, "who") == ("open", ["Timeout", "Call"])


async def test_undef_code_change(runtime: Runtime, module: TwoVersions) -> None:
    """OTP: an error, and the machine is unchanged. Here a class without code_change keeps its state unchanged."""
    pid = await gen_statem.start(module.load(FUNCTIONS)["Machine"])
    await upgrade(pid, "nothing")
    assert await gen_statem.call(pid, "who") == ("locked", [])


async def test_a_code_change_that_fails_leaves_the_machine(runtime: Runtime, module: TwoVersions) -> None:
    pid = await gen_statem.start(module.load(FUNCTIONS)["Machine"])
    module.load(ENTERED.replace("return extra, list(state[1])", "raise ValueError('no way')"))
    with pytest.raises(ValueError, match="no way"):
        await upgrade(pid, "open")
    sys.resume(pid)
    assert await gen_statem.call(pid, "who") == ("locked", [])


async def test_a_state_that_the_version_lacks_is_named_with_its_version(runtime: Runtime, module: TwoVersions) -> None:
    """The version that the module declares, or the code server's."""
    pid = await gen_statem.start(module.load(FUNCTIONS)["Machine"])
    module.load("__vsn__ = 'b'" + FUNCTIONS.replace("locked", "closed"))
    with pytest.raises(Exit, match=r"Machine version b does not define the state 'locked'"):
        await gen_statem.call(pid, "who")
    assert not is_alive(pid)
    known: dict[int, Any] = {id(module.load(FUNCTIONS.replace('return "locked"', 'return "lost"'))): "sha-1"}
    runtime.vsn_of = lambda name, namespace: known[id(namespace)]
    pid = await gen_statem.start(module.module.Machine)
    with pytest.raises(Exit, match=r"Machine version sha-1 does not define the state 'lost'"):
        await gen_statem.call(pid, "who")


async def test_timers_run_on_while_suspended(runtime: Runtime, module: TwoVersions) -> None:
    """hibernate and code_change, as far as they apply: timeouts that fired meanwhile are delivered after the resume."""
    pid = await gen_statem.start(module.load(FUNCTIONS)["Machine"])
    gen_statem.cast(pid, "timer")
    await gen_statem.call(pid, "who")
    await sys.suspend(pid)
    await eventually(lambda: process_info(pid).mailbox == 1)
    waiting = asyncio.ensure_future(gen_statem.call(pid, "who"))
    await begun(waiting)
    sys.resume(pid)
    assert await waiting == ("locked", [])

"""sys_SUITE of OTP's stdlib in Python: numbers 51 and 52 of the list. Each test is named after its case."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from node_runtime import CallTimeout, Exit, GenServer, Runtime, call, call_within, gen_server, receive, spawn, sys
from node_runtime.behaviours.sys_debug import SystemEvent
from tests.support.waiting import begun


class Public(GenServer[list[str]]):
    def init(self) -> list[str]:
        return []

    def hello(self, word: str) -> str:
        self.state.append(word)
        return word


async def test_suspend(runtime: Runtime) -> None:
    """Suspending and resuming twice is no error; calls time out while suspended and are served afterwards."""
    pid = await gen_server.start(Public, name="public")
    await sys.suspend(pid)
    await sys.suspend(pid)
    with pytest.raises(CallTimeout):
        await call_within(0.01, pid, Public.hello, "too late")
    waiting = asyncio.ensure_future(call(pid, Public.hello, "patient"))
    await begun(waiting)
    sys.resume(pid)
    sys.resume(pid)
    assert await waiting == "patient"
    assert await sys.get_state(pid) == ["too late", "patient"]  # the request whose caller has given up is served, too


async def test_install(runtime: Runtime) -> None:
    """A function gets each event with its own state until it returns done, fails or is removed."""
    pid = await gen_server.start(Public)
    seen: list[tuple[int, str]] = []

    def watch(count: int, event: SystemEvent) -> Any:
        seen.append((count, event.kind))
        return sys.DONE if count == 2 else count + 1

    sys.install(pid, watch, 0)
    await call(pid, Public.hello, "one")
    await call(pid, Public.hello, "two")
    assert seen == [(0, "in"), (1, "out"), (2, "in")]


@pytest.mark.parametrize("error", [ValueError("broken"), SystemExit(3)])
async def test_install_a_function_that_fails(runtime: Runtime, error: BaseException) -> None:
    """The function is removed, and the process continues."""
    pid = await gen_server.start(Public)
    seen: list[str] = []

    def fail(_: None, event: SystemEvent) -> None:
        seen.append(event.kind)
        raise error

    sys.install(pid, fail)
    assert await call(pid, Public.hello, "one") == "one"
    assert seen == ["in"]


async def test_install_ids(runtime: Runtime) -> None:
    """The same id, or the same function without an id, is installed once; a function may have several ids."""
    pid = await gen_server.start(Public)
    seen: list[str] = []

    def watch(name: str, event: SystemEvent) -> str:
        if event.kind == "in":
            seen.append(name)
        return name

    sys.install(pid, watch, "plain")
    sys.install(pid, watch, "again")
    sys.install(pid, watch, "first", id="id")
    sys.install(pid, watch, "second", id="id")
    sys.install(pid, watch, "third", id="other id")
    await call(pid, Public.hello, "one")
    assert seen == ["plain", "first", "third"]
    sys.remove(pid, watch)
    sys.remove(pid, "id")
    await call(pid, Public.hello, "two")
    assert seen == ["plain", "first", "third", "third"]


async def test_no_debug(runtime: Runtime) -> None:
    """All recording ends at once."""
    pid = await gen_server.start(Public)
    seen: list[str] = []
    sys.install(pid, lambda state, event: seen.append(event.kind))
    sys.log(pid)
    sys.statistics(pid)
    sys.no_debug(pid)
    await call(pid, Public.hello, "one")
    assert (seen, sys.get_log(pid), sys.get_statistics(pid)) == ([], [], None)


async def test_log(runtime: Runtime) -> None:
    """The last N events; another N keeps them; reading a log that is off gives nothing."""
    pid = await gen_server.start(Public)
    assert sys.get_log(pid) == []
    sys.log(pid)
    for number in range(20):
        await call(pid, Public.hello, str(number))
    assert len(sys.get_log(pid)) == 10
    sys.log(pid, 4)
    assert [entry.text for entry in sys.get_log(pid)] == ["hello(word='18')", "'18'", "hello(word='19')", "'19'"]


async def test_special_process_without_callbacks(runtime: Runtime) -> None:
    """Different from OTP: a plain coroutine has no state that sys could show, which is an error at once."""
    pid = spawn(receive)
    with pytest.raises(Exit, match="has no callbacks"):
        await sys.get_state(pid)
    with pytest.raises(Exit, match="has no callbacks"):
        await sys.replace_state(pid, lambda state: state)


async def test_a_suspend_has_an_owner(runtime: Runtime) -> None:
    """Different from OTP: one owner's resume leaves another's suspend."""
    pid = await gen_server.start(Public)
    await sys.suspend(pid, owner="one")
    await sys.suspend(pid, owner="other")
    sys.resume(pid, owner="one")
    assert (await sys.get_status(pid)).status == "suspended"
    sys.resume(pid, owner="other")
    assert (await sys.get_status(pid)).status == "idle"

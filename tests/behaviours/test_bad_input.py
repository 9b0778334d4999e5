"""Invalid arguments: refused at once with a message that names them, and without side effects."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from node_runtime import (
    Exit,
    GenServer,
    GenStatem,
    Next,
    NoProcess,
    Pid,
    Runtime,
    Supervisor,
    Timeout,
    all_processes,
    application,
    call,
    call_now,
    call_within,
    cast,
    finished_processes,
    gen_server,
    gen_statem,
    is_alive,
    process_info,
    receive,
    register,
    registered,
    send_after,
    spawn,
    spawn_task,
    supervisor,
    sys,
    until_ended,
)
from node_runtime import runtime as running


class Counter(GenServer[int]):
    def init(self) -> int:
        return 0


class Lamp(GenStatem[None]):
    def init(self) -> tuple[str, None]:
        return "dark", None

    def dark(self, event: object) -> Next:
        return Next()


class Shop(Supervisor):
    def children(self) -> list[Any]:
        return []


@pytest.mark.parametrize("name", ["", 5, b"counter"])
async def test_a_name_is_a_text_that_is_not_empty(runtime: Runtime, name: Any) -> None:
    pid = await gen_server.start(Counter)
    with pytest.raises(ValueError, match=r"a name must be a non-empty str"):
        await gen_server.start(Counter, name=name)
    with pytest.raises(ValueError, match=r"a name must be a non-empty str"):
        register(name, pid)
    assert all_processes() == [pid]
    assert registered() == []


async def test_each_behaviour_starts_only_its_own_classes(runtime: Runtime) -> None:
    for module, wrong, right in (
        (gen_server, Lamp, "GenServer"),
        (gen_server, Shop, "GenServer"),
        (gen_server, int, "GenServer"),
        (gen_statem, Counter, "GenStatem"),
        (supervisor, Counter, "Supervisor"),
    ):
        start: Any = getattr(module, "start_link")  # noqa: B009  # which of the three it is, no checker knows
        with pytest.raises(
            TypeError, match=rf"{wrong.__name__}.*subclass of {right}(, or start this .* with .*start_link|$)"
        ):
            await start(wrong)
    assert all_processes() == []


@pytest.mark.parametrize("ask", [call, cast, call_now, partial(call_within, 5.0)])
@pytest.mark.parametrize("named", ["add", 5, partial(Counter.init)])
async def test_a_request_names_a_method_by_the_method_itself(runtime: Runtime, ask: Any, named: Any) -> None:
    pid = await gen_server.start(Counter)
    for target in (pid, "nobody"):
        with pytest.raises(TypeError, match=re.escape(f"{named!r} is not a method") + ".*Counter.add"):
            await asked(ask, target, named)
    assert is_alive(pid)


async def asked(ask: Any, target: object, named: object) -> None:
    asking = ask(target, named, 3)
    await asking


async def test_a_process_runs_a_function_and_not_the_result_of_a_call(runtime: Runtime) -> None:
    start: Any
    for start in (spawn, spawn_task):
        with pytest.raises(TypeError, match="the function itself"):
            start(receive())
        with pytest.raises(TypeError, match="5 is not a coroutine function"):
            start(5)
    assert all_processes() == []


async def test_a_target_that_is_neither_pid_nor_name_is_named(runtime: Runtime) -> None:
    target: Any
    for target in (None, 1.5, b"counter"):
        with pytest.raises(NoProcess, match="neither a pid nor a name"):
            await call(target, Counter.init)


class Patient(GenServer[None]):
    def init(self) -> None:
        return None

    def wait_idle(self, seconds: float) -> None:
        gen_server.idle_timeout(seconds)


WAITS: dict[str, Callable[[Pid, Any], Any]] = {
    "send_after": lambda pid, seconds: send_after(seconds, pid, "never"),
    "call_within": lambda pid, seconds: call_within(seconds, pid, Patient.wait_idle, 1.0),
    "gen_statem.call": lambda pid, seconds: gen_statem.call(pid, "question", seconds),
    "gen_server.stop": lambda pid, seconds: gen_server.stop(pid, timeout=seconds),
    "sys.suspend": lambda pid, seconds: sys.suspend(pid, timeout=seconds),
    "sys.suspend, lease": lambda pid, seconds: sys.suspend(pid, lease=seconds),
    "sys.get_state": lambda pid, seconds: sys.get_state(pid, timeout=seconds),
    "sys.replace_state": lambda pid, seconds: sys.replace_state(pid, lambda state: "replaced", timeout=seconds),
    "application.stop": lambda pid, seconds: application.stop("bakery", seconds),
    "Runtime.stop": lambda pid, seconds: running().stop(seconds),
    "Timeout": lambda pid, seconds: Timeout("ring", seconds),
}


@pytest.mark.parametrize("seconds", [math.nan, "5", 10**400], ids=["nan", "text", "too large"])
@pytest.mark.parametrize("wait", WAITS)
async def test_an_invalid_time_is_refused_before_any_side_effect(runtime: Runtime, wait: str, seconds: Any) -> None:
    application.load(application.AppSpec("bakery", "1"))
    await application.start("bakery")
    pid = await gen_server.start(Patient)
    with pytest.raises(ValueError, match=r"(nan|'5'|a number this large) is not a time; pass seconds"):
        await outcome(WAITS[wait](pid, seconds))
    info = process_info(pid)
    assert (info.status, info.mailbox, info.messages) == ("idle", 0, 1)
    assert await sys.get_state(pid) is None
    assert [one.spec.name for one in application.which_applications()] == ["bakery"]


async def outcome(asked: Any) -> None:
    await asked


@pytest.mark.parametrize("ask", [call, cast])
async def test_a_callback_that_waits_for_an_invalid_time_crashes(runtime: Runtime, ask: Any) -> None:
    pid = await gen_server.start(Patient)
    if ask is cast:
        cast(pid, Patient.wait_idle, math.nan)
    else:
        with pytest.raises(Exit, match="nan is not a time"):
            await call(pid, Patient.wait_idle, math.nan)
    if is_alive(pid):
        await until_ended(pid)
    assert "nan is not a time" in finished_processes(1)[0].reason


async def test_a_state_is_replaced_by_a_plain_function(runtime: Runtime) -> None:
    async def later(state: None) -> int:
        return 5

    pid = await gen_server.start(Patient)
    with pytest.raises(TypeError, match=r"later.* is async; replace_state takes a plain function"):
        await sys.replace_state(pid, later)
    assert await sys.get_state(pid) is None

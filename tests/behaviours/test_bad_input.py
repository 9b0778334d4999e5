"""What makes no sense is refused at once, in a sentence that names it, and nothing is left half-done."""

from __future__ import annotations

import math
import re
from functools import partial
from typing import Any

import pytest

from node_runtime import (
    GenServer,
    GenStatem,
    Next,
    NoProcess,
    Runtime,
    Supervisor,
    all_processes,
    call,
    call_now,
    call_within,
    cast,
    gen_server,
    gen_statem,
    is_alive,
    receive,
    register,
    registered,
    send_after,
    spawn,
    spawn_task,
    supervisor,
)


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
    with pytest.raises(ValueError, match=r"a name is a text that isn't empty"):
        await gen_server.start(Counter, name=name)
    with pytest.raises(ValueError, match=r"a name is a text that isn't empty"):
        register(name, pid)
    assert all_processes() == [pid]
    assert registered() == []


async def test_each_behaviour_starts_classes_of_its_own(runtime: Runtime) -> None:
    for module, wrong, right in (
        (gen_server, Lamp, "GenServer"),
        (gen_server, Shop, "GenServer"),
        (gen_server, int, "GenServer"),
        (gen_statem, Counter, "GenStatem"),
        (supervisor, Counter, "Supervisor"),
    ):
        start: Any = getattr(module, "start_link")  # noqa: B009  # which of the three it is, no checker knows
        with pytest.raises(TypeError, match=rf"{wrong.__name__}.*subclass of {right}(;.* started by|$)"):
            await start(wrong)
    assert all_processes() == []


@pytest.mark.parametrize("ask", [call, cast, call_now, partial(call_within, 5.0)])
@pytest.mark.parametrize("named", ["add", 5, partial(Counter.init)])
async def test_a_request_names_a_method_by_the_method_itself(runtime: Runtime, ask: Any, named: Any) -> None:
    pid = await gen_server.start(Counter)
    for target in (pid, "nobody"):
        with pytest.raises(TypeError, match=re.escape(f"{named!r} is no method") + ".*Counter.add"):
            await asked(ask, target, named)
    assert is_alive(pid)


async def asked(ask: Any, target: object, named: object) -> None:
    asking = ask(target, named, 3)
    await asking


async def test_what_is_run_is_a_function_and_not_its_call(runtime: Runtime) -> None:
    start: Any
    for start in (spawn, spawn_task):
        with pytest.raises(TypeError, match="the function itself"):
            start(receive())
        with pytest.raises(TypeError, match="5 is no coroutine function"):
            start(5)
    assert all_processes() == []


async def test_what_is_neither_pid_nor_name_is_named(runtime: Runtime) -> None:
    target: Any
    for target in (None, 1.5, b"counter"):
        with pytest.raises(NoProcess, match="neither a pid nor a name"):
            await call(target, Counter.init)


async def test_no_number_is_no_time_and_harms_no_other_timer(runtime: Runtime) -> None:
    pid = await gen_server.start(Counter)
    with pytest.raises(ValueError, match="nan is no time"):
        send_after(math.nan, pid, "never")

"""Logs, traces, statistics and debug functions of sys: their records, and no cost for other processes."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from node_runtime import (
    Call,
    Cast,
    Event,
    Exit,
    From,
    GenServer,
    GenStatem,
    Next,
    Runtime,
    call,
    call_now,
    cast,
    deferred,
    gen_server,
    gen_statem,
    keep,
    process_info,
    receive,
    reply,
    send,
    spawn,
    sys,
)
from tests.support.waiting import answered, eventually


class Safe(GenServer[int]):
    def init(self) -> int:
        return 0

    def add(self, amount: int) -> int:
        self.state += amount
        return self.state

    async def add_later(self, amount: int) -> int:
        await asyncio.sleep(0)
        return self.add(amount)

    def open(self, name: str, password: str) -> bool:
        return password == "1234"

    def record_myself(self) -> None:
        sys.log(process_info("safe").pid)

    def handle_info(self, message: Any) -> None:
        self.state = 0


class Door(GenStatem[None]):
    def init(self) -> tuple[str, None]:
        return "open", None

    def open(self, event: Event) -> Next:
        match event:
            case Call("close"):
                return Next("closed", reply="ok")
        return Next(postpone=True)

    def closed(self, event: Event) -> Next:
        return keep


def lines(pid: Any) -> list[str]:
    return [f"{entry.kind} {entry.text}".strip() for entry in sys.get_log(pid)]


async def test_the_log_keeps_the_last_events_on_a_line_each(runtime: Runtime) -> None:
    pid = await gen_server.start(Safe)
    await call(pid, Safe.add, 1)
    assert sys.get_log(pid) == []
    sys.log(pid, 5)
    await call(pid, Safe.add, 2)
    await call(pid, Safe.add_later, amount=3)
    send(pid, "reset")
    await eventually(lambda: lines(pid)[-1] == "noreply")
    assert lines(pid) == ["out 3", "in add_later(amount=3)", "out 6", "in 'reset'", "noreply"]
    sys.log(pid, 2)
    assert lines(pid) == ["in 'reset'", "noreply"]
    sys.log(pid, None)
    assert lines(pid) == []


async def test_recorded_events_hide_secrets(runtime: Runtime) -> None:
    pid = await gen_server.start(Safe)
    sys.log(pid)
    assert await call(pid, Safe.open, "bob", "1234")
    assert lines(pid) == ["in open(name='bob', password=‹redacted›)", "out True"]


async def test_a_state_machine_s_changes_are_events(runtime: Runtime) -> None:
    pid = await gen_statem.start(Door)
    sys.log(pid)
    gen_statem.cast(pid, "knock")
    assert await gen_statem.call(pid, "close") == "ok"
    await eventually(lambda: process_info(pid).status == "idle")
    assert [entry.kind for entry in sys.get_log(pid)] == [
        "in",
        "postpone",
        "noreply",
        "in",
        "out",
        "state",
        "in",
        "noreply",
    ]
    assert "open => closed" in {entry.text for entry in sys.get_log(pid)}


async def test_calls_run_in_the_caller_s_turn_again_when_nothing_is_recorded(runtime: Runtime) -> None:
    pid = await gen_server.start(Safe)
    process: Any = runtime.processes[pid]
    requests = process.methods
    sys.log(pid)
    sys.statistics(pid)
    sys.log(pid, None)
    assert process.methods is not requests
    sys.statistics(pid, False)
    assert process.methods is requests
    assert process.debug is None


async def test_recording_begins_with_the_next_message(runtime: Runtime) -> None:
    pid = await gen_server.start(Safe, name="safe")
    cast(pid, Safe.record_myself)
    for _ in range(3):
        cast(pid, Safe.add, 1)
    await eventually(lambda: len(sys.get_log(pid)) >= 6)
    assert lines(pid)[-6:] == ["in add(amount=1)", "noreply"] * 3


async def test_a_trace_is_logged_as_a_record_of_the_traced_process(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    pid = await gen_server.start(Safe, name="safe")
    sys.trace(pid)
    await call(pid, Safe.add, 1)
    sys.trace(pid, False)
    await call(pid, Safe.add, 1)
    said = [record.getMessage() for record in caplog.records if record.name == "node_runtime.trace"]
    assert said == [f"safe {pid}: in add(amount=1)", f"safe {pid}: out 1"]


async def test_a_trace_writes_no_more_than_its_rate(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    pid = await gen_server.start(Safe)
    sys.trace(pid, rate=3)
    for _ in range(20):
        await call(pid, Safe.add, 1)
    sys.trace(pid, False)
    said = [record.getMessage() for record in caplog.records if record.name == "node_runtime.trace"]
    written = [line for line in said if "left out" not in line]
    left_out = [int(line.split()[1]) for line in said if "left out" in line]
    assert len(written) + sum(left_out) == 40
    assert left_out


async def test_statistics_count_messages_in_and_out(runtime: Runtime) -> None:
    pid = await gen_server.start(Safe)
    assert sys.get_statistics(pid) is None
    sys.statistics(pid)
    await call(pid, Safe.add, 1)
    await call(pid, Safe.add_later, 1)
    cast(pid, Safe.add, 1)
    await call(pid, Safe.add, 1)
    figures = sys.get_statistics(pid)
    assert figures is not None
    assert (figures.messages_in, figures.messages_out) == (4, 3)
    assert figures.now >= figures.started
    sys.statistics(pid, False)
    assert sys.get_statistics(pid) is None


async def test_an_upgrade_of_the_class_keeps_the_recording(runtime: Runtime) -> None:
    pid = await gen_server.start(Safe)
    sys.log(pid)
    process: Any = runtime.processes[pid]
    process.refresh()
    await call(pid, Safe.add, 1)
    assert lines(pid) == ["in add(amount=1)", "out 1"]


async def test_a_process_without_callbacks_is_not_recorded(runtime: Runtime) -> None:
    with pytest.raises(Exit, match="has no callbacks"):
        sys.log(spawn(receive))


async def test_a_cast_to_a_machine_is_shown_as_a_cast(runtime: Runtime) -> None:
    pid = await gen_statem.start(Door)
    await gen_statem.call(pid, "close")
    seen: list[object] = []
    sys.install(pid, lambda state, event: seen.append(event.kind))
    gen_statem.cast(pid, Cast("odd"))
    await eventually(lambda: seen == ["in", "noreply"])


async def test_a_reply_by_another_process_is_recorded_once(runtime: Runtime) -> None:
    class Bakery(GenServer[list[From[str]]]):
        def init(self) -> list[From[str]]:
            return []

        @deferred
        def order(self, from_: From[str], loaf: str, pin: str, key: str) -> None:
            self.state.append(from_)

        @deferred
        def take(self, from_: From[str]) -> None:
            reply(from_, "at once")

        def bake(self) -> None:
            reply(self.state.pop(), "bread")

    pid = await gen_server.start(Bakery)
    sys.log(pid, 20)
    assert await call(pid, Bakery.take) == "at once"
    ordering = asyncio.ensure_future(call(pid, Bakery.order, "rye", "1", "2"))
    await eventually(lambda: len(sys.get_log(pid)) == 4)
    cast(pid, Bakery.bake)
    assert await ordering == "bread"
    assert lines(pid)[:6] == [
        "in take()",
        "out 'at once'",
        "in order(loaf='rye', pin='1', key=‹redacted›)",
        "noreply",
        "in bake()",
        "out 'bread'",
    ]


async def test_call_now_works_on_a_recorded_server(runtime: Runtime) -> None:
    pid = await gen_server.start(Safe)
    sys.log(pid)
    assert call_now(pid, Safe.add, 2) == 2
    assert lines(pid) == ["in add(amount=2)", "out 2"]


async def test_reading_a_state_leaves_an_idle_timeout_unchanged(runtime: Runtime) -> None:
    class Sleepy(GenServer[list[Any]]):
        def init(self) -> list[Any]:
            gen_server.idle_timeout(0.02)
            return []

        def handle_info(self, message: Any) -> None:
            self.state.append(message)

    pid = await gen_server.start(Sleepy)

    async def timed_out() -> bool | None:
        await sys.get_status(pid)
        return bool(await sys.get_state(pid)) or None

    await answered(timed_out, "the idle timeout", pause=0)

"""Exit reasons of any type: a process exits with the very object, and every link and monitor gets it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from node_runtime import (
    DOWN,
    EXIT,
    Exit,
    GenServer,
    Pid,
    Runtime,
    Stop,
    call,
    call_now,
    exit,
    finished_processes,
    gen_server,
    monitor,
    receive,
    spawn_link,
    spawn_task,
    trap_exit,
    unlink,
)
from tests.support.in_process import run_in_process


class Incomparable:
    """A value that cannot be compared, as those of some libraries; it has no text either."""

    __hash__ = None  # type: ignore[assignment]  # as what compares by a rule of its own

    def __eq__(self, other: object) -> Any:
        raise ArithmeticError("not to be compared")

    def __repr__(self) -> str:
        raise ArithmeticError("not to be written")


class Vague:
    """A value whose comparison result has no truth value, as with arrays."""

    __hash__ = None  # type: ignore[assignment]  # as what compares by a rule of its own

    def __eq__(self, other: object) -> Any:
        return Vague()

    def __bool__(self) -> bool:
        raise ArithmeticError("neither true nor false")


class Leaving(Exception):
    """A value whose repr raises SystemExit."""

    def __str__(self) -> str:
        raise SystemExit(3)


class Absent:
    """A value like a dead proxy: every access to it fails."""

    def __getattribute__(self, name: str) -> Any:
        raise LookupError(name)

    def __repr__(self) -> str:
        raise KeyboardInterrupt


ODD: dict[str, object] = {
    "None": None,
    "zero": 0,
    "no text": "",
    "nothing": (),
    "incomparable": Incomparable(),
    "vague": Vague(),
    "pair": (Incomparable(), 1),
    "absent": Absent(),
    "leaving": Leaving(),
    "shutdown": ("shutdown", Vague()),
}
"""By name, because pytest cannot use the values as parameters."""


class Server(GenServer[None]):
    def init(self) -> None:
        return None

    def stop(self, reason: object) -> None:
        raise Stop(reason)

    def fail(self, error: Exception) -> None:
        raise error


async def start_coroutine() -> Pid:
    async def wait() -> None:
        await receive()

    return spawn_link(wait)


async def start_task() -> Pid:
    begun = asyncio.Event()

    async def wait() -> None:
        begun.set()
        await asyncio.Event().wait()

    pid = spawn_task(wait)
    await begun.wait()
    return pid


async def start_server() -> Pid:
    return await gen_server.start_link(Server)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("start", [start_coroutine, start_task, start_server])
async def test_links_and_monitors_get_any_reason(
    runtime: Runtime, start: Callable[[], Awaitable[Pid]], odd: str
) -> None:
    reason = ODD[odd]

    async def body() -> None:
        trap_exit()
        pid = await start()
        ref = monitor(pid)
        exit(pid, reason)
        told = [await receive(timeout=60), await receive(timeout=60)]
        (by_link,) = [one for one in told if isinstance(one, EXIT)]
        (by_monitor,) = [one for one in told if isinstance(one, DOWN)]
        assert by_link.pid == by_monitor.pid == pid
        assert by_monitor.ref is ref
        assert by_link.reason is reason
        assert by_monitor.reason is reason
        assert not finished_processes(1)[0].orderly or odd == "shutdown"

    await run_in_process(body)


@pytest.mark.parametrize("odd", ODD)
async def test_a_callback_may_stop_with_any_reason(runtime: Runtime, odd: str) -> None:
    reason = ODD[odd]
    called, asked_now = await gen_server.start(Server), await gen_server.start(Server)
    with pytest.raises(Exit) as failure:
        await call(called, Server.stop, reason)
    assert failure.value.reason is reason
    with pytest.raises(Exit) as failure:
        call_now(asked_now, Server.stop, reason)
    assert failure.value.reason is reason


@pytest.mark.parametrize("error", [Leaving(), ExceptionGroup("several", [Leaving()])])
async def test_an_error_without_a_text_is_a_crash_like_others(runtime: Runtime, error: Exception) -> None:
    pid = await gen_server.start(Server)
    with pytest.raises(Exit) as failure:
        await call(pid, Server.fail, error)
    assert failure.value.reason is error


async def test_a_task_that_gets_an_exit_signal_without_a_reason_did_not_crash(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> None:
        pid = await start_task()
        unlink(pid)
        ref = monitor(pid)
        exit(pid, None)
        assert await receive(timeout=60) == DOWN(ref, pid, None)

    await run_in_process(body)
    assert not caplog.records

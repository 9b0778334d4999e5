"""Exceptions that would end Python: they end the process that raises them, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from node_runtime import (
    ChildSpec,
    GenServer,
    Pid,
    Runtime,
    Supervisor,
    call,
    cast,
    gen_server,
    is_alive,
    spawn,
    spawn_task,
    supervisor,
    sys,
    until_ended,
)
from node_runtime.processes.errors import Exit
from node_runtime.supervisor import ChildRefused
from tests.support.waiting import begun


class PanicException(BaseException):
    """The panic of a Rust extension, which is a BaseException but not an Exception."""


LEAVING = [SystemExit(3), KeyboardInterrupt(), PanicException()]


class Leaver(GenServer[None]):
    """Raises a given error in the called method."""

    def init(self, where: str = "", error: BaseException | None = None) -> None:
        self._leave("init", where, error)

    @staticmethod
    def _leave(here: str, where: str, error: BaseException | None) -> None:
        if here == where and error is not None:
            raise error

    def plain(self, error: BaseException) -> None:
        raise error

    async def later(self, error: BaseException) -> None:
        await asyncio.sleep(0)
        raise error


class LeavesAtLast(GenServer[BaseException]):
    """Raises in terminate."""

    def init(self, error: BaseException) -> BaseException:
        return error

    def terminate(self, reason: object) -> None:
        raise self.state


class LeavesAtLastLater(GenServer[BaseException]):
    """The same, asynchronously."""

    def init(self, error: BaseException) -> BaseException:
        return error

    async def terminate(self, reason: object) -> None:
        await asyncio.sleep(0)
        raise self.state


@pytest.fixture
async def bystander() -> AsyncIterator[Pid]:
    async with Runtime():
        yield await gen_server.start(Leaver)


@pytest.mark.parametrize("error", LEAVING)
@pytest.mark.parametrize("method", [Leaver.plain, Leaver.later])
async def test_a_callback_that_raises_base_exception_crashes(bystander: Pid, method: Any, error: BaseException) -> None:
    asked, told = await gen_server.start(Leaver), await gen_server.start(Leaver)
    with pytest.raises(Exit) as ended:
        await call(asked, method, error)
    assert ended.value.reason is error
    cast(told, method, error)
    assert await until_ended(told) is error
    assert is_alive(bystander)


@pytest.mark.parametrize("error", LEAVING)
async def test_an_init_that_raises_a_base_exception_fails_the_start(bystander: Pid, error: BaseException) -> None:
    with pytest.raises(Exit) as failed:
        await gen_server.start(Leaver, "init", error)
    assert failed.value.reason is error
    assert is_alive(bystander)


@pytest.mark.parametrize("error", LEAVING)
@pytest.mark.parametrize("cls", [LeavesAtLast, LeavesAtLastLater])
async def test_a_terminate_that_raises_base_exception_crashes(bystander: Pid, cls: Any, error: BaseException) -> None:
    pid = await gen_server.start(cls, error)
    ended = asyncio.ensure_future(until_ended(pid))
    await begun(ended)
    with pytest.raises(Exit) as stopped:
        await gen_server.stop(pid)
    assert stopped.value.reason is await ended is error
    assert is_alive(bystander)


@pytest.mark.parametrize("error", LEAVING)
@pytest.mark.parametrize("begin", [spawn, spawn_task])
async def test_a_coroutine_that_raises_base_exception_crashes(bystander: Pid, begin: Any, error: BaseException) -> None:
    async def leaves() -> None:
        await asyncio.sleep(0)
        raise error

    assert await until_ended(begin(leaves)) is error
    assert is_alive(bystander)


@pytest.mark.parametrize("error", [*LEAVING, asyncio.CancelledError()])
async def test_a_start_function_that_raises_a_base_exception_is_a_child_that_did_not_start(
    bystander: Pid, error: BaseException
) -> None:
    parent = await supervisor.start_link(Parent)
    with pytest.raises(ChildRefused) as refused:
        await supervisor.start_child(parent, ChildSpec("child", f"{__name__}:start_leaver", (error,)))
    assert (refused.value.reason, refused.value.failure) == ("start_failed", error)
    assert is_alive(parent)
    assert is_alive(bystander)


class Parent(Supervisor):
    def children(self) -> list[ChildSpec]:
        return []


def start_leaver(error: BaseException) -> Pid:
    raise error


@pytest.mark.parametrize("error", [*LEAVING, StopIteration()])
async def test_a_base_exception_of_a_replace_function_is_raised_at_the_caller(
    bystander: Pid, error: BaseException
) -> None:
    def leave(state: object) -> object:
        raise error

    async def ask() -> BaseException | None:
        try:
            await sys.replace_state(busy, leave)
        except BaseException as raised:
            return raised
        return None

    busy = await gen_server.start(Sleeper)
    answer = asyncio.ensure_future(call(busy, Sleeper.until, gate := asyncio.Event()))
    await begun(answer)
    asked = asyncio.ensure_future(ask())
    await begun(asked)
    gate.set()
    assert await answer == "awake"
    raised = await asked
    assert raised is error or raised.__cause__ is error  # type: ignore[union-attr]  # Python makes a RuntimeError of one
    assert is_alive(busy)


class Sleeper(GenServer[str]):
    def init(self) -> str:
        return "awake"

    async def until(self, gate: asyncio.Event) -> str:
        await gate.wait()
        return self.state

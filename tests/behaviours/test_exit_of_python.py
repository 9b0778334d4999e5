"""SystemExit and KeyboardInterrupt in somebody's code end the process that runs it, and nothing more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from node_runtime import GenServer, Pid, Runtime, call, cast, gen_server, is_alive, runtime, spawn, spawn_task
from node_runtime.processes.errors import Exit

LEAVING = [SystemExit(3), KeyboardInterrupt()]


class Leaver(GenServer[None]):
    """Leaves where it is told to."""

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
    """Leaves while it terminates."""

    def init(self, error: BaseException) -> BaseException:
        return error

    def terminate(self, reason: object) -> None:
        raise self.state


class LeavesAtLastLater(GenServer[BaseException]):
    """As the other, asynchronously."""

    def init(self, error: BaseException) -> BaseException:
        return error

    async def terminate(self, reason: object) -> None:
        await asyncio.sleep(0)
        raise self.state


async def until_ended(pid: Pid) -> object:
    return await runtime().until_ended(runtime().find(pid))


@pytest.fixture
async def bystander() -> AsyncIterator[Pid]:
    async with Runtime():
        yield await gen_server.start(Leaver)


@pytest.mark.parametrize("error", LEAVING)
@pytest.mark.parametrize("method", [Leaver.plain, Leaver.later])
async def test_a_callback_that_leaves_is_a_crash(bystander: Pid, method, error: BaseException) -> None:  # type: ignore[no-untyped-def]  # one of two methods
    asked, told = await gen_server.start(Leaver), await gen_server.start(Leaver)
    with pytest.raises(Exit) as ended:
        await call(asked, method, error)
    assert ended.value.reason is error
    cast(told, method, error)
    assert await until_ended(told) is error
    assert is_alive(bystander)


@pytest.mark.parametrize("error", LEAVING)
async def test_an_init_that_leaves_fails_the_start(bystander: Pid, error: BaseException) -> None:
    with pytest.raises(Exit) as failed:
        await gen_server.start(Leaver, "init", error)
    assert failed.value.reason is error
    assert is_alive(bystander)


@pytest.mark.parametrize("error", LEAVING)
@pytest.mark.parametrize("cls", [LeavesAtLast, LeavesAtLastLater])
async def test_a_terminate_that_leaves_is_a_crash(bystander: Pid, cls, error: BaseException) -> None:  # type: ignore[no-untyped-def]  # one of two classes
    pid = await gen_server.start(cls, error)
    ended = asyncio.ensure_future(until_ended(pid))
    await asyncio.sleep(0)
    await gen_server.stop(pid)
    assert await ended is error
    assert is_alive(bystander)


@pytest.mark.parametrize("error", LEAVING)
@pytest.mark.parametrize("begin", [spawn, spawn_task])
async def test_a_coroutine_that_leaves_is_a_crash(bystander: Pid, begin, error: BaseException) -> None:  # type: ignore[no-untyped-def]  # one of two functions
    async def leaves() -> None:
        await asyncio.sleep(0)
        raise error

    assert await until_ended(begin(leaves)) is error
    assert is_alive(bystander)

"""Waits for a condition, on the event loop and for other processes and threads, without fixed sleeps."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from node_runtime import Runtime

T = TypeVar("T")


async def eventually(
    condition: Callable[[], object], *, within: float = 60.0, what: str = "the condition", pause: float = 0.005
) -> None:
    """Return as soon as `condition()` is true, asked every `pause` seconds; fail with `what` after `within` seconds."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come true within {within} s")
        await asyncio.sleep(pause)


async def answered(
    question: Callable[[], Awaitable[T | None]], what: str, *, within: float = 60.0, pause: float = 0.05
) -> T:
    """Ask every `pause` seconds until there is an answer; fail with `what` after `within` seconds."""
    deadline = time.monotonic() + within
    while (answer := await question()) is None:
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come within {within} s")
        await asyncio.sleep(pause)
    return answer


async def begun(task: asyncio.Task[Any]) -> None:
    """Return as soon as `task` has run up to its first wait."""
    coroutine = task.get_coro()
    assert inspect.iscoroutine(coroutine)
    await eventually(lambda: inspect.getcoroutinestate(coroutine) != inspect.CORO_CREATED, what="a begin", pause=0)


def passed(runtime: Runtime, moment: float) -> bool:
    """Returns whether the runtime's event loop has reached this time."""
    return runtime.loop.time() > moment


def until(
    condition: Callable[[], object], what: str, *, within: float = 60.0, shown: Callable[[], object] = str
) -> None:
    """The same for other processes and threads, without an event loop; a failure includes `shown()`."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come true within {within} s\n{shown()}".rstrip())
        time.sleep(0.01)

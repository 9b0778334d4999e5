"""Runs a test's code inside a process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from node_runtime import spawn

T = TypeVar("T")


async def run_in_process(body: Callable[[], Awaitable[T]]) -> T:
    """Run `body()` in its own process; returns its result."""
    result: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    async def live() -> None:
        try:
            value = await body()
        except Exception as error:
            result.set_exception(error)
        else:
            result.set_result(value)

    spawn(live)
    return await result

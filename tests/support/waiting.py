"""Waits for a condition, on the event loop and for other processes and threads, without fixed sleeps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from node_runtime import Runtime


async def eventually(condition: Callable[[], object], *, within: float = 10.0, what: str = "the condition") -> None:
    """Return as soon as `condition()` is true; fail with `what` after `within` seconds."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come true within {within} s")
        await asyncio.sleep(0.005)


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

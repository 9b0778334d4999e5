"""What every test may use: a wait for a condition that never sleeps blindly, and a runtime on each event loop."""

from __future__ import annotations

import asyncio
import importlib.util
import time
from collections.abc import AsyncIterator, Callable
from typing import Final

import pytest

from node_runtime import Runtime

pytest_plugins = ("fil_node",)

ON_EACH_LOOP: Final = frozenset({"processes", "behaviours", "conformance", "logging"})
"""The directories whose tests run on each event loop that is installed; the others' run on asyncio's own."""

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, LoopFactory]:
    """The event loops that a test runs on: uvloop too, where it matters and is installed."""
    loops: dict[str, LoopFactory] = {"asyncio": asyncio.new_event_loop}
    if item.path.parent.name in ON_EACH_LOOP and importlib.util.find_spec("uvloop") is not None:
        import uvloop

        loops["uvloop"] = uvloop.new_event_loop
    return loops


async def eventually(condition: Callable[[], object], *, within: float = 10.0, what: str = "the condition") -> None:
    """Return as soon as `condition()` is true; fail with `what` after `within` seconds."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come true within {within} s")
        await asyncio.sleep(0.005)


def until(
    condition: Callable[[], object], what: str, *, within: float = 60.0, shown: Callable[[], object] = str
) -> None:
    """The same for what another process or thread makes true, without an event loop; `shown()` is told on failure."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come true within {within} s\n{shown()}".rstrip())
        time.sleep(0.01)


@pytest.fixture(params=[True, False], ids=["inline", "queued"])
async def runtime(request: pytest.FixtureRequest) -> AsyncIterator[Runtime]:
    """A running runtime, with and without calls in their caller's turn; stopped after the test."""
    async with Runtime(inline=request.param) as running:
        yield running

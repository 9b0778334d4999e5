"""The time budget of property tests: seconds in `make test`, minutes in `make fuzz`."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings

from node_runtime import Runtime

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
PROFILES = {
    "quick": settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=SLOW),
    "fuzz": settings(max_examples=3000, deadline=None, print_blob=True, suppress_health_check=SLOW),
}
PROFILE = PROFILES[os.environ.get("HYPOTHESIS_PROFILE", "quick")]
UNHURRIED = settings(deadline=None, suppress_health_check=SLOW)
"""Random examples without hypothesis's own limits: 200 ms for one of them pass easily on a machine with much to do."""
SECONDS = 120.0
"""Limit for one wait: anything longer counts as hanging."""


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    """Suppress crash reports: these tests crash processes on purpose."""
    logger = logging.getLogger("node_runtime")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    yield
    logger.setLevel(level)


def with_runtime(inline: bool, body: Callable[[Runtime], Awaitable[None]]) -> None:
    """Run one example on its own runtime."""

    async def run() -> None:
        async with asyncio.timeout(SECONDS), Runtime(inline=inline) as runtime:
            await body(runtime)

    asyncio.run(run())


async def quiescent(runtime: Runtime, more: Callable[[], bool] = lambda: True) -> None:
    """Wait until no process has anything to do, twice in a row, and `more()` is true."""
    quiet_turns = 0
    while quiet_turns < 2:
        await asyncio.sleep(0)
        idle = not runtime.zombies and all(
            process.mail is None and process.status == "idle"
            for process in runtime.processes.values()
            if process.kind != "task"  # it always waits at some await, and reads no mailbox
        )
        quiet_turns = quiet_turns + 1 if idle and more() else 0


def orphans(runtime: Runtime) -> list[str]:
    """The processes whose parent has ended."""
    return [one.title() for one in runtime.processes.values() if one.parent and one.parent not in runtime.processes]

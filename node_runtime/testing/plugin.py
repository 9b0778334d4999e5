"""The fixtures that pytest finds by itself where hotdash is installed.

The fixture `runtime` is asynchronous, and needs pytest-asyncio. Nothing of node_runtime is imported until a test uses a
fixture.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from node_runtime import Runtime

    from .parameters import AppParameters
    from .private_node import PrivateNode
    from .upgrades import StateJourney

try:
    from pytest_asyncio import fixture as asynchronous_fixture
except ImportError:  # without pytest-asyncio, pytest itself reports a test that uses an asynchronous fixture
    asynchronous_fixture: Callable[..., Any] = pytest.fixture  # type: ignore[no-redef]


@asynchronous_fixture
async def runtime() -> AsyncIterator[Runtime]:
    """A running runtime in the test's own process. The processes of the runtime end after the test."""
    from node_runtime import Runtime

    async with Runtime() as running:
        yield running


@pytest.fixture(scope="session")  # so that a property test may use it
def upgraded() -> Callable[..., Awaitable[StateJourney]]:
    """The function `take_through`: `await upgraded(old, new, state=State(count=7))`."""
    from .upgrades import take_through

    return take_through


@asynchronous_fixture
async def node(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Awaitable[PrivateNode]]]:
    """The function that starts a real node in a private directory: `running = await node(PROJECT)`.

    The function takes the folder of a project, and parameters of applications as `env`. The nodes are stopped after the
    test.
    """
    from .private_node import private_node

    monkeypatch.setenv("NODE_RUNTIME_RUN_DIR", str(tmp_path_factory.mktemp("run")))
    async with AsyncExitStack() as stack:

        async def start(project: Path | str, env: AppParameters | None = None) -> PrivateNode:
            return await stack.enter_async_context(private_node(project, env))

        yield start

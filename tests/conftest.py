"""The fixtures for all tests: a runtime, on each event loop."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final

import pytest

from node_runtime import Runtime
from tests.support.nodes.left_nodes import start_killer

# Those that other tests import have to be here: pytest can't rewrite the assertions of an imported module.
pytest_plugins = ("tests.support.nodes.built_once", "tests.support.nodes.fil_node", "tests.support.nodes.small_node")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts the tests in the background has them ignore SIGINT, and the commands that they start, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)

GC_YOUNG_THRESHOLD: Final = 10_000
"""As in a node. With Python's 700, garbage collections would take a third of the time of the dashboard's tests."""

ON_EACH_LOOP: Final = frozenset({"processes", "behaviours", "conformance"})
"""The folders whose tests run on each installed event loop, as those with the marker `each_loop` do; all others run on
asyncio's own."""

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, LoopFactory]:
    """The event loops that a test runs on: uvloop too, where it matters and is installed."""
    loops: dict[str, LoopFactory] = {"asyncio": asyncio.new_event_loop}
    on_each = item.get_closest_marker("each_loop") is not None or not ON_EACH_LOOP.isdisjoint(
        item.path.relative_to(config.rootpath).parts
    )
    if on_each and importlib.util.find_spec("uvloop") is not None:
        import uvloop

        loops["uvloop"] = uvloop.new_event_loop
    return loops


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the second event loop of the tests of releases to `make test-all`.

    A release handler uses no more of the loop than the behaviours, which `make test` tests on each loop. Tests with the
    marker `each_loop` stay.
    """
    for item in items:
        of_releases = item.nodeid.startswith("tests/conformance/releases/")
        if of_releases and "uvloop" in item.nodeid.partition("[")[2] and item.get_closest_marker("each_loop") is None:
            item.add_marker(pytest.mark.slow)


def pytest_configure() -> None:
    """Collect garbage as rarely as a node does, also while the tests are collected."""
    gc.set_threshold(GC_YOUNG_THRESHOLD, *gc.get_threshold()[1:])


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Exempt the collected tests from later garbage collections: they stay, and each collection would examine them."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def no_nodes_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Kill nodes that the session leaves running, also if the session itself is killed."""
    with start_killer(tmp_path_factory.getbasetemp()):
        yield


@pytest.fixture(params=[True, False], ids=["inline", "queued"])
async def runtime(request: pytest.FixtureRequest) -> AsyncIterator[Runtime]:
    """A running runtime, with and without inline calls; stopped after the test."""
    async with Runtime(inline=request.param) as running:
        yield running

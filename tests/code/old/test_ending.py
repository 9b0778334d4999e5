"""A purge ends what keeps an old version, and no more; a cache that a library has of old functions blocks nothing."""

from __future__ import annotations

import asyncio
import functools
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from node_runtime.code import OldVersionHeld
from node_runtime.processes import Runtime, is_alive, spawn
from node_runtime.protocol.exit_codes import Refused
from tests.support.waiting import begun, eventually
from tests.support.written_modules import imported

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

ROUTES = """
def page():
    return {n}
"""
THING = """
class Thing:
    def number(self):
        return 1
"""
OWN = """
import functools

@functools.cache
def name(function):
    return function.__qualname__
"""


@pytest.fixture
async def node() -> AsyncIterator[Runtime]:
    async with Runtime() as runtime:
        yield runtime


@contextmanager
def library_with_cache(name: str) -> Iterator[Callable[[Any], str]]:
    """A cached function of a library, which remembers each function that it was asked about."""

    def named(function: Any) -> str:
        return str(function.__qualname__)

    library = ModuleType(name)
    named.__module__, named.__qualname__ = name, "named"
    library.named = functools.lru_cache(maxsize=None)(named)  # type: ignore[attr-defined]
    sys.modules[name] = library
    yield library.named
    del sys.modules[name]


@pytest.fixture
def classify() -> Iterator[Callable[[Any], str]]:
    """The cached function of one library."""
    with library_with_cache("memolib") as cached:
        yield cached


def test_a_cache_of_a_library_blocks_no_third_version_and_is_cleared_by_the_load(
    app: App, classify: Callable[[Any], str]
) -> None:
    app.boot(a=ROUTES.format(n=1))
    assert classify(imported("a").page) == "page"
    app.load(a=ROUTES.format(n=2))
    assert app.server.is_old_code_held("a")
    assert not app.server.holders("a")
    app.load(a=ROUTES.format(n=3))
    assert imported("a").page() == 3
    assert classify.cache_info().currsize == 0  # type: ignore[attr-defined]


def test_caches_of_libraries_block_nothing_however_many_functions_they_remember(
    app: App, classify: Callable[[Any], str]
) -> None:
    """The search for what holds an old version follows only some of its objects, so one search misses a cache."""
    pages = "".join(f"def page{number}():\n    return {{n}}\n" for number in range(200))
    with library_with_cache("otherlib") as classify_too:
        app.boot(a=pages.format(n=1))
        for number in range(200):
            (classify if number < 100 else classify_too)(getattr(imported("a"), f"page{number}"))
        app.load(a=pages.format(n=2))
        assert not app.server.holders("a")
        app.load(a=pages.format(n=3))


def test_a_cache_of_a_library_is_left_alone_if_it_keeps_nothing_old(app: App, classify: Callable[[Any], str]) -> None:
    app.boot(a=ROUTES.format(n=1))
    classify(print)
    held = imported("a").page
    app.load(a=ROUTES.format(n=2))
    with pytest.raises(OldVersionHeld):
        app.prepare(a=ROUTES.format(n=3))
    assert held() == 1
    assert classify.cache_info().currsize == 1  # type: ignore[attr-defined]


async def test_a_purge_clears_a_cache_of_the_applications_own(app: App) -> None:
    app.boot(a=ROUTES.format(n=1), own=OWN)
    own = imported("own")
    own.name(imported("a").page)
    app.load(a=ROUTES.format(n=2))
    (holder,) = await asyncio.to_thread(app.server.holders, "a")
    assert (holder.name, holder.cache) == ("the cache own.name", "own:name")
    with pytest.raises(OldVersionHeld):
        app.prepare(a=ROUTES.format(n=3))
    purged = await app.server.end_old_code("a")
    assert purged is not None
    assert (purged.dropped, purged.left, purged.cleared) == (True, (), ("the cache own.name",))
    app.load(a=ROUTES.format(n=3))


async def test_a_purge_spares_a_server_that_is_free_when_the_task_of_its_connection_has_ended(
    app: App, node: Runtime
) -> None:
    app.boot(a=ROUTES.format(n=1))
    connections: dict[str, object] = {}

    async def talk() -> None:
        connections["page"] = imported("a").page
        try:
            await asyncio.Event().wait()
        finally:
            connections.clear()

    async def serve(connections: dict[str, object]) -> None:
        await asyncio.Event().wait()

    server = spawn(serve, connections)
    other = spawn(serve, {"page": imported("a").page})
    task = asyncio.create_task(talk(), name="talk")
    await eventually(lambda: "page" in connections)
    app.load(a=ROUTES.format(n=2))
    purged = await app.server.end_old_code("a")
    assert purged is not None
    assert task.cancelled()
    assert (is_alive(server), is_alive(other)) == (True, False)
    assert (purged.dropped, purged.left) == (True, ())


async def test_a_purge_kills_no_process_that_refers_to_the_version_only_through_what_the_purge_has_ended(
    app: App, node: Runtime
) -> None:
    """All processes refer to the runtime, which may remember an ended process of the version."""
    app.boot(a=ROUTES.format(n=1))
    remembered: list[object] = []

    async def talk(page: object) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            remembered.append(page)

    async def serve(remembered: list[object]) -> None:
        await asyncio.Event().wait()

    server = spawn(serve, remembered)
    task = asyncio.create_task(talk(imported("a").page), name="talk")
    await begun(task)
    app.load(a=ROUTES.format(n=2))
    purged = await app.server.end_old_code("a")
    assert purged is not None
    assert task.cancelled()
    assert (purged.killed, is_alive(server)) == ((), True)
    assert [one.pid for one in purged.left if one.kind == "process"] == [int(server)]


async def test_a_purge_leaves_a_task_of_the_current_version_that_has_the_same_name(app: App, node: Runtime) -> None:
    poll = "import asyncio\nasync def poll():\n    await asyncio.Event().wait()\n"
    app.boot(a=poll)
    old = asyncio.create_task(imported("a").poll(), name="poller")
    await begun(old)
    app.load(a=poll + "VERSION = 2\n")
    new = asyncio.create_task(imported("a").poll(), name="poller")
    await begun(new)
    purged = await app.server.end_old_code("a")
    assert purged is not None
    assert (purged.dropped, len(purged.cancelled), old.cancelled(), new.done()) == (True, 1, True, False)
    new.cancel()


async def test_a_purge_cancels_the_task_that_refers_to_the_version_and_no_other_task_of_its_name(
    app: App, node: Runtime
) -> None:
    app.boot(a=ROUTES.format(n=1))

    async def serve(page: object) -> None:
        await asyncio.Event().wait()

    old = asyncio.create_task(serve(imported("a").page), name="connection")
    others = [asyncio.create_task(serve(None), name="connection") for _ in range(2)]
    for task in (old, *others):
        await begun(task)
    app.load(a=ROUTES.format(n=2))
    purged = await app.server.end_old_code("a")
    assert purged is not None
    assert (purged.dropped, len(purged.cancelled)) == (True, 1)
    assert (old.cancelled(), [task.done() for task in others]) == (True, [False, False])
    for task in others:
        task.cancel()


async def test_a_purge_never_cancels_the_main_task_of_the_node(app: App) -> None:
    """It refers to everything that the node remembers, such as a process of the old version that has ended."""
    app.boot(a=THING)
    main: dict[str, Any] = {"__name__": "node_runtime.cli.node", "Event": asyncio.Event}
    exec("async def live(remembered):\n    await Event().wait()\n", main)
    task = asyncio.create_task(main["live"]([imported("a").Thing()]))
    await begun(task)
    app.load(a=THING.replace("1", "2"))
    (holder,) = await asyncio.to_thread(app.server.holders, "a")
    assert (holder.name, holder.does, holder.task) == ("the node itself", "holds an instance of a.Thing", None)
    purged = await app.server.end_old_code("a")
    assert purged is not None
    assert purged.cancelled == ()
    assert not task.cancelling()
    task.cancel()


async def test_a_purge_ends_nothing_once_an_install_changes_the_node(app: App, node: Runtime) -> None:
    app.boot(a=ROUTES.format(n=1))

    async def serve(page: object) -> None:
        await asyncio.Event().wait()

    server = spawn(serve, imported("a").page)
    task = asyncio.create_task(serve(imported("a").page), name="serve")
    app.load(a=ROUTES.format(n=2))
    allowed = 0

    def check() -> None:
        nonlocal allowed
        allowed -= 1
        if allowed < 0:
            raise Refused("An operation is changing the node.")

    with pytest.raises(Refused, match="is changing the node"):
        await app.server.end_old_code("a", check)
    assert (is_alive(server), task.done()) == (True, False)
    # The second check comes before tasks are ended, and the third before processes are.
    for checks, ended in ((1, False), (2, True)):
        allowed = checks
        purged = await app.server.end_old_code("a", check)
        assert purged is not None
        assert (purged.dropped, purged.killed, is_alive(server)) == (False, (), True)
        assert task.cancelled() is ended


async def test_a_variable_is_named_and_not_the_tasks_that_use_its_value(app: App, node: Runtime) -> None:
    app.boot(a=ROUTES.format(n=1), own="SHELF = []\n")
    shelf = imported("own").SHELF
    shelf.append(imported("a").page)

    async def use(shelf: list[object]) -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(use(shelf), name="user")
    await begun(task)
    app.load(a=ROUTES.format(n=2))
    (holder,) = await asyncio.to_thread(app.server.holders, "a")
    assert holder.name == "own.SHELF"
    purged = await app.server.end_old_code("a")
    assert purged is not None
    assert (purged.dropped, purged.cancelled, [one.name for one in purged.left]) == (True, (), ["own.SHELF"])
    assert not task.done()
    task.cancel()


async def test_a_task_is_found_that_awaits_a_holder_through_many_coroutines(app: App, node: Runtime) -> None:
    app.boot(a=THING)

    async def nested(depth: int) -> None:
        if depth:
            await nested(depth - 1)
        thing = None if depth else imported("a").Thing()
        await asyncio.Event().wait()
        del thing

    task = asyncio.create_task(nested(20), name="deep")
    await begun(task)
    app.load(a=THING.replace("1", "2"))
    (holder,) = await asyncio.to_thread(app.server.holders, "a")
    assert holder.task == "deep"
    task.cancel()


async def test_a_purge_closes_the_connections_whose_protocol_is_of_the_old_version(app: App, node: Runtime) -> None:
    echo = "import asyncio\nclass Echo(asyncio.Protocol):\n    def pause_writing(self):\n        self.n = {n}\n"
    app.boot(a=echo.format(n=1))
    loop = asyncio.get_running_loop()
    sockets = [one for _ in range(2) for one in socket.socketpair()]
    old = (await loop.create_connection(imported("a").Echo, sock=sockets[0]))[0]
    app.load(a=echo.format(n=2))
    new = (await loop.create_connection(imported("a").Echo, sock=sockets[2]))[0]
    (holder,) = app.server.holders("a")
    assert f"{holder.name} {holder.does}" == "a connection of the event loop holds an instance of a.Echo"
    purged = await app.server.end_old_code("a")
    assert purged is not None
    assert (purged.dropped, purged.closed, purged.left) == (True, ("a connection of the event loop",), ())
    assert (old.is_closing(), new.is_closing()) == (True, False)
    new.close()
    await eventually(lambda: {one.fileno() for one in sockets[::2]} == {-1}, what="the end of the connections")
    sockets[1].close()
    sockets[3].close()

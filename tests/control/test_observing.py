"""Observation of a node that is idle, busy or blocked."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from node_runtime import GenServer, cast, exit, gen_server, process_info, self_pid, send, spawn, supervisor
from node_runtime.control import loop_bridge
from node_runtime.control.snapshots import RuntimeSnapshot, SnapshotReader
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.releases.install.interpreter_settings import gc_paused
from tests.support.waiting import eventually
from tests.support.written_modules import imported

if TYPE_CHECKING:
    from tests.support.nodes.shop_node import Node

pytest_plugins = ["tests.support.nodes.shop_node"]

QUIET = 3000
"""Processes that do nothing; a snapshot of them takes many turns of the event loop."""
SNAPSHOT_SECONDS = 120.0
"""The longest wait for a snapshot of a busy node, on a machine that is busy, too."""


async def process(client: Client, name: str) -> m.ProcessSummary:
    snapshot = await client.request(methods.SNAPSHOT)
    return next(one for one in snapshot.processes if one.name == name)


async def state(client: Client, name: str) -> m.StateView:
    return await client.request(methods.STATE, m.GetState(pid=(await process(client, name)).pid))


@pytest.fixture
def without_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests wait for the event loop, which gets no turn within 50 ms on a machine with many other programs."""
    monkeypatch.setattr(loop_bridge, "FALLBACK_TIMEOUT_SECONDS", 60.0)


def till() -> Any:
    shop_till = imported("shop_till")
    return shop_till.Till


@pytest.mark.usefixtures("without_fallback")
async def test_a_snapshot_shows_the_tree_the_modules_and_the_releases(shop: Node) -> None:
    async with shop.client("viewer") as client:
        snapshot = await client.request(methods.SNAPSHOT)
    by_name = {one.name: one for one in snapshot.processes if one.name}
    top = by_name["shop_sup"]
    assert (top.kind, top.strategy, top.intensity) == ("supervisor", "one_for_one", "5 in 10 s")
    assert snapshot.applications == (m.ApplicationInfo(name="shop", vsn="1.0", top=top.pid),)
    assert (by_name["till"].parent, by_name["till"].child_id, by_name["till"].kind) == (top.pid, "till", "gen_server")
    assert (by_name["lamp"].kind, by_name["lamp"].state_name) == ("gen_statem", "green")
    assert {one.application for one in snapshot.processes} == {"shop"}
    modules = {one.name: one for one in snapshot.modules}
    assert modules["shop_till"].processes == 2
    assert by_name["till"].vsn == modules["shop_till"].vsn
    assert [(one.vsn, one.status) for one in snapshot.releases] == [("1.0", "permanent"), ("1.1", "unpacked")]
    assert snapshot.vitals.rss > 0
    assert snapshot.blocked is None


async def test_a_child_that_does_not_run_is_shown_with_its_supervisor(shop: Node) -> None:
    await supervisor.terminate_child("shop_sup", "lamp")
    async with shop.client() as client:
        snapshot = await client.request(methods.SNAPSHOT)
    (child,) = snapshot.children
    assert (child.child_id, child.status) == ("lamp", "undefined")


async def test_a_state_is_shown_with_its_secrets_hidden_and_without_a_message(shop: Node) -> None:
    async with shop.client() as client:
        before = (await process(client, "till")).messages
        view = await state(client, "till")
        assert dict(view.state.items)["coins"].text == "0"
        assert dict(view.state.items)["pin_token"].text == "‹redacted›"
        assert (await state(client, "lamp")).state.items[0][1].text == "'green'"
        assert (await process(client, "till")).messages == before


async def test_a_busy_process_shows_its_state_its_mail_and_where_it_waits(shop: Node) -> None:
    cast("till", till().ponder)
    cast("till", till().take, 3)
    async with shop.client() as client:
        view = await state(client, "till")
    assert view.process.status == "running"
    assert view.process.mailbox == 1
    assert any("ponder" in line for line in view.stack)
    assert dict(view.state.items)["coins"].text == "0"


async def test_a_state_tells_the_callback_the_mail_and_the_ends_of_predecessors(shop: Node) -> None:
    exit(process_info("till").pid, "kill")
    await eventually(lambda: "till" in shop.runtime.names)
    cast("till", till().ponder)
    cast("till", till().take, 3)
    send("till", {"password": "hunter2"})
    async with shop.client("viewer") as client:
        view = await state(client, "till")
    assert view.running == "ponder"
    first, second = view.mail
    assert (first.type, first.text, first.items[0][1].text) == ("cast", "take", "3")
    assert second.items[0][1].text == "‹redacted›"
    assert [(end.reason, end.orderly) for end in view.exits] == [("killed", False)]


async def test_a_process_that_has_ended_is_refused_by_name(shop: Node) -> None:
    async with shop.client() as client:
        with pytest.raises(Refused, match="<999> has ended"):
            await client.request(methods.STATE, m.GetState(pid=999))


async def test_a_plain_coroutine_is_shown_as_what_it_runs(shop: Node) -> None:
    async def lonely() -> None:
        from node_runtime import receive

        await receive()

    pid = spawn(lonely)
    async with shop.client() as client:
        view = await client.request(methods.STATE, m.GetState(pid=int(pid)))
    assert "lonely" in view.state.text
    assert view.process.kind == "process"


class Outside(threading.Thread):
    """An operator in a thread with its own event loop, because the node's will be blocked."""

    def __init__(self, shop: Node, ready: threading.Event) -> None:
        super().__init__(daemon=True)
        self._shop = shop
        self._ready = ready
        self.blocked = threading.Event()
        self.released = threading.Event()
        self.seen: dict[str, Any] = {}

    def run(self) -> None:
        try:
            asyncio.run(self._look())
        finally:
            self.released.set()

    async def _look(self) -> None:
        async with self._shop.client() as client:
            target = await process(client, "till")
            boot = client.info.boot_id
            self._ready.set()
            self.blocked.wait(60)
            await client.request(methods.PING)
            self.seen["releases"] = await client.request(methods.RELEASES)
            self.seen["snapshot"] = await client.request(methods.SNAPSHOT)
            self.seen["state"] = await client.request(methods.STATE, m.GetState(pid=target.pid))
            with suppress(Refused):
                await client.request(methods.OPERATION)
            try:
                await client.request(methods.KILL_PROCESS, m.ProcessTarget(pid=target.pid, boot_id=boot))
            except Refused as refused:
                self.seen["kill"] = refused


async def test_a_blocked_event_loop_is_observed_from_another_thread_and_named(shop: Node) -> None:
    ready = threading.Event()
    outside = Outside(shop, ready)
    outside.start()
    await eventually(ready.is_set, what="the operator outside")

    class Gate:
        """A gate that blocks the server's callback, in the event loop's thread."""

        def wait(self) -> None:
            outside.blocked.set()
            outside.released.wait(60)

    cast("till", till().block, Gate())
    await eventually(outside.released.is_set, what="the look at the blocked node")
    seen = outside.seen
    assert seen["releases"].releases[0].vsn == "1.0"
    assert "the event loop has not answered for" in seen["snapshot"].blocked
    assert "Gate.wait" in seen["snapshot"].blocked
    assert {one.name for one in seen["snapshot"].processes} >= {"till", "lamp"}
    assert dict(seen["state"].state.items)["coins"].text == "0"
    assert seen["state"].blocked is not None
    assert seen["kill"].code == ExitCode.REFUSED
    assert "Nothing was done" in seen["kill"].sentence
    async with shop.client() as client:
        assert (await client.request(methods.SNAPSHOT)).blocked is None
        assert (await process(client, "till")).status == "idle"


class Spinner(GenServer[int]):
    """Always has a message, so that the event loop is never idle."""

    def init(self) -> int:
        send(self_pid(), "on")
        return 0

    def handle_info(self, message: object) -> None:
        self.state += 1
        send(self_pid(), message)


@pytest.mark.usefixtures("without_fallback")
async def test_a_busy_event_loop_is_observed_in_its_turns_and_goes_on(shop: Node) -> None:
    spinner = await gen_server.start(Spinner, name="spinner")
    handled = []
    async with shop.client() as client:
        for _ in range(2):
            snapshot = await client.request(methods.SNAPSHOT, timeout=SNAPSHOT_SECONDS)
            handled.append(next(one.messages for one in snapshot.processes if one.name == "spinner"))
    exit(spinner, "kill")
    assert snapshot.blocked is None
    assert handled == sorted(handled)
    assert handled[-1] > 0


class Idler(Spinner):
    """A spinner that waits for its first message."""

    def init(self) -> int:
        return 0


class Quiet(GenServer[None]):
    """One of very many processes."""

    def init(self) -> None:
        return None


@pytest.mark.usefixtures("without_fallback")
async def test_processes_go_on_during_a_snapshot_of_very_many(shop: Node) -> None:
    """Two processes handle messages in turn, so the second must never have handled more than the first."""
    spinners = [await gen_server.start(Idler, name="first")]
    for _ in range(QUIET):
        await gen_server.start(Quiet)
    spinners.append(await gen_server.start(Idler, name="second"))
    for spinner in spinners:
        send(spinner, "on")
    async with shop.client() as client:
        snapshot = await client.request(methods.SNAPSHOT, timeout=SNAPSHOT_SECONDS)
    for spinner in spinners:
        exit(spinner, "kill")
    handled = {one.name: one.messages for one in snapshot.processes}
    assert snapshot.blocked is None
    assert len(snapshot.processes) > QUIET
    assert handled["second"] > handled["first"] > 0


async def test_a_snapshot_gives_the_garbage_collector_nothing_to_examine(shop: Node) -> None:
    """Otherwise a viewer who asks for snapshots of very many processes makes the node stand still for collections."""
    family = await gen_server.start(Family)
    taking = SnapshotReader(shop.runtime, shop.code).take_in_slices()
    with gc_paused():
        before = len(gc.get_objects())
        snapshot = run_to_end(taking)
        added = len(gc.get_objects()) - before
    children = [one for one in snapshot.processes if one.links == (int(family),)]
    assert len(children) == QUIET
    assert added < QUIET / 10


def run_to_end(slices: Generator[None, None, RuntimeSnapshot]) -> RuntimeSnapshot:
    while True:
        try:
            next(slices)
        except StopIteration as end:
            snapshot: RuntimeSnapshot = end.value
            return snapshot


class Family(GenServer[None]):
    """A process with very many linked children."""

    async def init(self) -> None:
        for _ in range(QUIET):
            await gen_server.start_link(Quiet)


class Parent(GenServer[None]):
    """A supervisor with one child, which ends with it."""

    async def init(self) -> None:
        await gen_server.start_link(Quiet)


@pytest.mark.usefixtures("without_fallback")
async def test_a_process_that_exits_during_a_snapshot_is_not_in_it(shop: Node) -> None:
    shop_sup = process_info("shop_sup").pid
    parents = [await gen_server.start(Parent) for _ in range(1000)]
    async with shop.client() as client:
        asking = asyncio.ensure_future(client.request(methods.SNAPSHOT, timeout=SNAPSHOT_SECONDS))
        while not asking.done():
            if parents:
                exit(parents.pop(0), "kill")
            await asyncio.sleep(0)
        snapshot = await asking
    seen = {one.pid for one in snapshot.processes}
    assert shop_sup in seen
    assert all(one.parent is None or one.parent in seen for one in snapshot.processes)

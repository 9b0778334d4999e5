"""The stream of events: no event is lost without a report."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from node_runtime import exit, receive, spawn, whereis
from node_runtime.control.event_log import EventLog
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client, MissedEvents
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.wire import unpack
from tests.support.dashboard.scripted_peer import Peer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.support.nodes.shop_node import Node
    from tests.support.raw_client import ConnectRaw

pytest_plugins = ["tests.support.nodes.shop_node", "tests.support.raw_client"]


async def first(
    events: AsyncIterator[m.NodeEvent | MissedEvents], wanted: Callable[[m.NodeEvent], bool]
) -> m.NodeEvent:
    async with asyncio.timeout(60):
        async for item in events:
            if isinstance(item, m.NodeEvent) and wanted(item):
                return item
    pytest.fail("the events ended")


async def test_a_stream_starts_with_a_request_for_a_snapshot_and_has_no_gap(shop: Node) -> None:
    async with shop.client("viewer") as client, aclosing(client.events()) as events:
        assert await anext(events) == MissedEvents()
        snapshot = await client.request(methods.SNAPSHOT)
        seen = [await anext(events) for _ in range(3)]
        assert all(isinstance(item, m.NodeEvent) for item in seen)
        numbers = [item.seq for item in seen if isinstance(item, m.NodeEvent)]
        assert numbers == list(range(numbers[0], numbers[0] + 3))
        assert numbers[0] <= snapshot.seq + 1


async def test_vitals_come_by_themselves(shop: Node) -> None:
    async with shop.client() as client, aclosing(client.events()) as events:
        event = await first(events, lambda event: event.kind == "vitals")
    assert event.vitals is not None
    assert event.vitals.processes == 5
    assert event.vitals.descriptors > 0


async def test_starts_exits_and_log_records_are_events(shop: Node) -> None:
    async with shop.client() as client, aclosing(client.events()) as events:
        await anext(events)
        pid = whereis("till")
        assert pid is not None
        exit(pid, "kill")
        ended = await first(events, lambda event: event.kind == "process" and "ended" in event.text)
        assert ended.text == f"till <{int(pid)}> ended: killed"
        logging.getLogger("shop").warning("low on \x1b[31mcoins")
        told = await first(events, lambda event: event.kind == "log" and "low" in event.text)
        assert told.text == "warning: low on \\x1b[31mcoins"
        kept = (await client.request(methods.EVENTS, m.ListLimit(limit=500))).events
    assert ended in kept
    assert told in kept
    assert all(event.kind != "vitals" for event in kept)


async def test_the_event_of_a_logged_exception_has_its_type_its_text_without_secrets_and_its_place(shop: Node) -> None:
    class Quiet(Exception):
        def __str__(self) -> str:
            raise RuntimeError("password=hunter2")

    async with shop.client("viewer") as client, aclosing(client.events()) as events:
        await anext(events)
        for error in (KeyError("order"), ValueError("no login with password=hunter2"), Quiet()):
            try:
                raise error
            except Exception:
                logging.getLogger("shop").exception("order %s is lost", 17)
        logging.getLogger("shop").error("nothing was raised", exc_info=True)
        told = await first(events, lambda event: "nothing was raised" in event.text)
        kept = (await client.request(methods.EVENTS, m.ListLimit(limit=500))).events
    place = "control/test_events.py:"
    texts = [event.text for event in kept if "order 17" in event.text]
    assert texts[0].startswith(f"error: order 17 is lost: KeyError: 'order' at {place}")
    assert texts[1].startswith(f"error: order 17 is lost: ValueError: no login with password=‹redacted› at {place}")
    assert texts[2].startswith(f"error: order 17 is lost: a Quiet whose text raised RuntimeError at {place}")
    assert all(
        text.endswith(" test_the_event_of_a_logged_exception_has_its_type_its_text_without_secrets_and_its_place")
        for text in texts
    )
    assert told.text == "error: nothing was raised"


async def test_the_event_of_a_logged_exception_has_the_calls_that_led_to_it_without_source_lines_and_secrets(
    shop: Node,
) -> None:
    def pay(password: str) -> None:
        raise KeyError(f"password={password}")

    def sell(depth: int) -> None:
        if depth:
            return sell(depth - 1)
        try:
            pay("hunter2")
        except KeyError as error:
            raise ValueError("not sold") from error
        return None

    async with shop.client("viewer") as client, aclosing(client.events()) as events:
        await anext(events)
        for depth in (0, 100):
            try:
                sell(depth)
            except ValueError:
                logging.getLogger("shop").exception("sale at depth %d failed", depth)
        logging.getLogger("shop").error("no exception")
        without = await first(events, lambda event: "no exception" in event.text)
        kept = (await client.request(methods.EVENTS, m.ListLimit(limit=500))).events
    short, long = (event for event in kept if "sale at depth" in event.text)
    assert short.trace[0].startswith(f"{__file__}:")
    names = [line.rpartition(".")[2] for line in short.trace[1:]]
    assert names == ["sell", "caused by KeyError: 'password=‹redacted›'", "sell", "pay"]
    assert "hunter2" not in str(short)
    assert not any("raise " in line for line in short.trace)
    assert any("left out" in line for line in long.trace)
    assert len(long.trace) < 50
    assert without.trace == ()


async def test_the_log_event_of_a_crash_has_the_traceback_of_its_report(shop: Node) -> None:
    async def crash() -> None:
        raise ValueError("no coins")

    async with shop.client("viewer") as client, aclosing(client.events()) as events:
        await anext(events)
        spawn(crash)
        told = await first(events, lambda event: event.kind == "log" and "no coins" in event.text)
    assert len(told.trace) == 1
    assert told.trace[0].endswith("crash")


async def test_starts_and_exits_of_unnamed_processes_are_no_events(shop: Node) -> None:
    async def nothing() -> None:
        pass

    async with shop.client() as client, aclosing(client.events()) as events:
        await anext(events)
        for _ in range(100):
            spawn(nothing)
        pid = whereis("till")
        assert pid is not None
        exit(pid, "kill")
        await first(events, lambda event: event.kind == "process" and "ended" in event.text)
        kept = (await client.request(methods.EVENTS, m.ListLimit(limit=500))).events
    told = {event.text.split()[0] for event in kept if event.kind == "process"}
    assert "till" in told
    assert told <= {"till", "lamp", "shop_sup"}


async def test_many_exits_are_counted_not_listed(shop: Node) -> None:
    async def forever() -> None:
        await receive()

    async with shop.client() as client, aclosing(client.events()) as events:
        await anext(events)
        for pid in [spawn(forever) for _ in range(500)]:
            exit(pid, "kill")
        event = await first(events, lambda event: "more starts, ends and registrations of processes" in event.text)
    assert event.kind == "process"


async def test_a_lost_node_ends_the_stream_with_one_sentence(shop: Node) -> None:
    async with shop.client() as client, aclosing(client.events()) as events:
        await anext(events)
        shop.control.stop()
        with pytest.raises(Refused) as caught:
            await first(events, lambda event: False)
    assert caught.value.code == ExitCode.UNREACHABLE


async def test_following_an_operation_of_a_lost_node_has_an_unknown_outcome(shop: Node) -> None:
    async with shop.client() as client:
        with pytest.raises(Refused) as caught:
            async for _ in client.follow("none"):
                pass
        assert caught.value.code == ExitCode.REFUSED
        shop.control.stop()
        with pytest.raises(Refused) as caught:
            async for _ in client.follow("abc123"):
                pass
    assert (caught.value.code, caught.value.operation) == (ExitCode.UNKNOWN_OUTCOME, "abc123")
    assert "abc123" in caught.value.sentence


async def test_a_gap_in_the_sequence_numbers_is_reported_with_its_size(tmp_path: Path, own_run_directory: Path) -> None:
    """The node here omits events, as the gateway does for a client that is too slow."""
    node = Peer(tmp_path, tick=3600.0)
    address = node.start()
    async with Client.connect(address, user="ann", client_name="test") as client, aclosing(client.events()) as events:
        assert await anext(events) == MissedEvents()
        node.emit("log", "one")
        node.emit("log", "two")
        node.lose_events(4)
        node.emit("log", "seven")
        items = [await anext(events) for _ in range(4)]
    node.stop()
    assert [item.text if isinstance(item, m.NodeEvent) else item.count for item in items] == ["one", "two", 4, "seven"]


async def test_two_streams_of_one_client_get_the_same_events(shop: Node) -> None:
    async with shop.client() as client, aclosing(client.events()) as one:
        assert await anext(one) == MissedEvents()
        async with aclosing(client.events()) as other:
            assert await anext(other) == MissedEvents()
            logging.getLogger("shop").warning("for both")
            both = [await first(stream, lambda event: "for both" in event.text) for stream in (one, other)]
            assert both[0] == both[1]
        logging.getLogger("shop").warning("for the rest")
        await first(one, lambda event: "for the rest" in event.text)


async def test_a_client_that_no_longer_reads_events_gets_none(shop: Node, connect_raw: ConnectRaw) -> None:
    raw = connect_raw(shop.address("viewer"))
    await raw.request(methods.SUBSCRIBE)
    logging.getLogger("shop").warning("one")
    assert (await raw.receive()).event is not None
    await raw.request(methods.UNSUBSCRIBE)
    logging.getLogger("shop").warning("two")
    reply = await raw.request(methods.EVENTS, m.ListLimit())
    assert reply.result is not None
    assert "warning: two" in [event.text for event in unpack(reply.result, m.EventList).events]


def test_a_flood_of_one_kind_displaces_no_event_of_another_kind() -> None:
    log = EventLog("b", lambda body: None)
    for number in range(20):
        log.emit("operation", f"operation {number}")
        log.emit("audit", f"login {number}")
    for number in range(2000):
        log.emit("log", f"line {number}")
        log.emit("process", f"process {number} ended")
    kept = log.newest(500)
    assert [event.text for event in kept if event.kind == "operation"] == [f"operation {n}" for n in range(20)]
    assert [event.text for event in kept if event.kind == "audit"] == [f"login {n}" for n in range(20)]
    assert [event.seq for event in kept] == sorted(event.seq for event in kept)
    assert len(kept) == 500
    for number in range(2000):
        log.emit("operation", f"operation {number}")
    assert {event.kind for event in log.newest(500)} == {"operation", "audit", "log", "process"}


def test_only_the_newest_events_are_kept_and_large_operations_travel_without_results() -> None:
    sent: list[bytes] = []
    log = EventLog("b", sent.append)
    for number in range(600):
        log.emit("log", f"line {number}")
    assert [event.text for event in log.newest(2)] == ["line 598", "line 599"]
    assert len(log.newest(1000)) == 500
    assert log.newest(0) == ()
    nothing = m.Term(type="str", text="x" * 1000)
    result = m.ProcessResult(
        pid=1, name=None, module="m", action="load", old_vsn="1", new_vsn="2", outcome="ok", seconds=0.0,
        before=nothing, after=nothing,
    )  # fmt: skip
    large = m.Operation(
        id="x", kind="install", from_vsn="1", to_vsn="2", who="ann", started=0.0, phase="p", results=(result,) * 500
    )
    log.emit("operation", "done", operation=large)
    event = unpack(sent[-1], m.NodeEvent)
    assert event.operation is not None
    assert event.operation.results == ()
    assert event.seq == len(sent) == 601

"""Signs of trouble in vitals and events: restarts, growing mailboxes, a blocked event loop, a flood of log records."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from node_runtime import cast, exit, whereis
from node_runtime.behaviours.upgrade.live_processes import SupervisorProcess
from node_runtime.control.event_source import BATCH_SECONDS, MAX_RECORDS_PER_BATCH
from node_runtime.control.health_signs.loop_watch import LoopWatch
from node_runtime.control.health_signs.restarts import RestartWatch
from node_runtime.protocol import messages as m
from node_runtime.protocol.client import MissedEvents
from tests.support.waiting import eventually, until
from tests.support.written_modules import imported

if TYPE_CHECKING:
    from tests.support.nodes.shop_node import Node

pytest_plugins = ["tests.support.nodes.shop_node"]


async def first(events: Any, wanted: Callable[[m.NodeEvent], object]) -> m.NodeEvent:
    """The first event that is wanted."""
    async with asyncio.timeout(60):
        async for event in events:
            if not isinstance(event, MissedEvents) and wanted(event):
                found: m.NodeEvent = event
                return found
    raise AssertionError("the events have ended")


async def test_a_blocked_event_loop_is_named_while_it_is_blocked_and_reported_afterwards() -> None:
    watch = LoopWatch(asyncio.get_running_loop(), lambda: "keeper.py:31 (Keeper.handle_info)")
    seen: list[str] = []
    released = threading.Event()

    def look() -> None:
        watch.lag()
        until(lambda: watch.lag() >= 1.0, "a late loop", within=60.0)
        seen.append(watch.blocked_in())
        released.set()

    thread = threading.Thread(target=look)
    thread.start()
    released.wait(120)  # blocks the event loop
    thread.join()
    assert seen == ["keeper.py:31 (Keeper.handle_info)"]
    await eventually(lambda: watch.blocked_in() == "", what="the loop's answer")
    report = watch.take_report()
    assert report.startswith("the event loop was blocked for ")
    assert report.endswith(" s at keeper.py:31 (Keeper.handle_info)")
    assert watch.take_report() == ""


async def test_the_end_of_a_block_is_reported_with_its_duration_also_when_the_loop_was_tested_again() -> None:
    watch = LoopWatch(asyncio.get_running_loop(), lambda: "keeper.py:31 (Keeper.handle_info)")
    blocked = threading.Thread(target=until, args=(lambda: watch.lag() >= 1.0, "a late loop"))
    blocked.start()
    blocked.join()
    await eventually(lambda: watch.blocked_in() == "", what="the loop's answer to the late test")
    watch.lag()  # begins the next test, which has no answer yet
    assert watch.blocked_in() == ""
    report = watch.take_report()
    assert "was blocked for 0." not in report
    assert report.endswith(" s at keeper.py:31 (Keeper.handle_info)")


async def test_the_vitals_name_a_supervisor_that_restarts_and_the_last_exit_reason(shop: Node) -> None:
    async with shop.client() as client, aclosing(client.events()) as events:
        await anext(events)
        pid = whereis("till")
        assert pid is not None
        exit(pid, "kill")
        event = await first(events, lambda event: event.vitals is not None and event.vitals.restarting)
    assert event.vitals is not None
    (one,) = event.vitals.restarting
    assert (one.name, one.used, one.intensity, one.period) == ("shop_sup", 1, 5, 10.0)
    assert (one.per_minute, one.child, one.reason, one.since) == (1, "till", "killed", one.at)


async def restart_till() -> None:
    pid = whereis("till")
    assert pid is not None
    exit(pid, "kill")
    await eventually(lambda: whereis("till") not in (None, pid), what="the restart of the till")


async def test_restarts_are_reported_since_the_first_of_them(shop: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    watch, clock = RestartWatch(shop.runtime), time.time

    def later(seconds: float) -> float:
        return clock() + seconds

    supervisors = [one for one in shop.runtime.processes.values() if isinstance(one, SupervisorProcess)]
    reports: list[m.RestartingSupervisor] = []
    for seconds in (0.0, 50.0, 100.0, 500.0):  # the last failure is not of the same series
        monkeypatch.setattr(time, "time", partial(later, seconds))
        watch.measure(supervisors)
        await restart_till()
        reports += watch.measure(supervisors)
    assert [one.per_minute for one in reports] == [1, 2, 2, 1]
    assert reports[0].since == reports[1].since == reports[2].since == reports[0].at
    assert reports[3].since == reports[3].at


async def test_a_failure_is_not_called_recent_for_an_hour_because_somebody_sets_the_clock_back(
    shop: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid, clock = whereis("till"), time.time
    assert pid is not None
    exit(pid, "kill")
    await eventually(lambda: whereis("till") not in (None, pid), what="the restart of the till")
    supervisors = [one for one in shop.runtime.processes.values() if isinstance(one, SupervisorProcess)]
    watch = RestartWatch(shop.runtime)
    assert [one.name for one in watch.measure(supervisors)] == ["shop_sup"]
    monkeypatch.setattr(time, "time", lambda: clock() - 3600.0)
    assert watch.measure(supervisors) == ()


async def test_the_vitals_name_a_mailbox_that_grows(shop: Node) -> None:
    till = imported("shop_till").Till
    async with shop.client() as client, aclosing(client.events()) as events:
        await anext(events)
        cast("till", till.ponder)
        for _ in range(300):
            cast("till", till.take, 1)
        event = await first(events, lambda event: event.vitals is not None and event.vitals.mailboxes)
    assert event.vitals is not None
    (one,) = event.vitals.mailboxes
    assert (one.name, one.waiting) == ("till", 300)
    assert one.growth > 1.0


async def test_a_flood_of_log_records_is_counted_and_its_errors_are_told(shop: Node) -> None:
    told: list[m.NodeEvent] = []
    began = time.monotonic()
    async with shop.client() as client, aclosing(client.events()) as events:
        await anext(events)
        logger = logging.getLogger("shop")
        for number in range(20_000):
            logger.warning("line %d", number)
            if number % 100 == 0:
                await asyncio.sleep(0)  # the client runs on this loop; it would lose its connection if it did not read
        logger.error("the till is broken")

        def enough(event: m.NodeEvent) -> bool:
            told.extend([event] if event.kind == "log" else [])
            texts = [one.text for one in told]
            return "error: the till is broken" in texts and any("more log records" in text for text in texts)

        await first(events, enough)
    windows = 1 + (time.monotonic() - began) / BATCH_SECONDS
    assert len(told) <= windows * (MAX_RECORDS_PER_BATCH + 1)

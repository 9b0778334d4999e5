"""Calls into the event loop: an operator never waits behind the viewers, nor behind a full queue."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from node_runtime.control.loop_bridge import MAX_URGENT_REQUESTS, MAX_WAITING_REQUESTS, LoopBridge, LoopCall
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Role
from tests.support.waiting import eventually


class Desk:
    """A bridge whose control thread is the test's event loop; `done` has the results by name."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.done: dict[str, Any] = {}
        self.order: list[str] = []
        self._bridge = LoopBridge(loop, threading.get_ident(), loop.call_soon_threadsafe, loop.call_later)

    def ask(self, name: str, role: Role, *, urgent: bool = False, fallback: Callable[[str], Any] | None = None) -> None:
        def end(result: Any, error: BaseException | None) -> None:
            self.done[name] = result if error is None else error

        self._bridge.ask(LoopCall(partial(self.order.append, name), end, fallback, role, urgent))


async def test_an_operators_call_waits_for_at_most_one_of_the_viewers_calls() -> None:
    desk = Desk()
    for number in range(10):
        desk.ask(f"viewer {number}", "viewer")
    desk.ask("operator", "operator")
    await eventually(lambda: len(desk.done) == 11, what="all calls")
    assert desk.order == ["viewer 0", "operator", *(f"viewer {number}" for number in range(1, 10))]


async def test_a_full_queue_of_viewers_refuses_viewers_but_no_operator() -> None:
    desk = Desk()
    limit = MAX_WAITING_REQUESTS["viewer"]
    for number in range(limit + 5):
        desk.ask(f"viewer {number}", "viewer")
    desk.ask("operator", "operator")
    refused = [error for error in desk.done.values() if isinstance(error, Refused)]
    assert len(refused) == 5
    assert f"requests of viewers wait for the loop (limit {limit})" in refused[0].sentence
    await eventually(lambda: len(desk.done) == limit + 6, what="all calls")
    assert "operator" in desk.order


async def test_an_urgent_call_has_a_place_when_the_operators_queue_is_full() -> None:
    desk = Desk()
    limit = MAX_WAITING_REQUESTS["operator"]
    for number in range(limit + 1):
        desk.ask(f"operator {number}", "operator")
    assert isinstance(desk.done[f"operator {limit}"], Refused)
    for number in range(MAX_URGENT_REQUESTS + 1):
        desk.ask(f"urgent {number}", "operator", urgent=True)
    assert isinstance(desk.done[f"urgent {MAX_URGENT_REQUESTS}"], Refused)
    await eventually(lambda: len(desk.order) == limit + MAX_URGENT_REQUESTS, what="all calls")


async def test_too_many_calls_into_a_loop_that_answers_are_refused_and_not_read_torn() -> None:
    desk = Desk()
    for number in range(MAX_WAITING_REQUESTS["viewer"] + 1):
        desk.ask(f"viewer {number}", "viewer", fallback=lambda clause: "torn")
    assert [error for error in desk.done.values() if isinstance(error, Refused)] != []
    await eventually(lambda: len(desk.done) == MAX_WAITING_REQUESTS["viewer"] + 1, what="all calls")
    assert "torn" not in desk.done.values()

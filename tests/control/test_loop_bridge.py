"""Calls into the event loop: an operator never waits behind the viewers, nor behind a full queue."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any

import pytest

from node_runtime.control.loop_bridge import MAX_URGENT_REQUESTS, MAX_WAITING_REQUESTS, LoopBridge, LoopCall
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Role
from tests.support.waiting import eventually


class Desk:
    """A bridge whose control thread is the test's event loop; `done` has the results by name.

    Its calls go to the event loop `called`, by default also that of the test.
    """

    def __init__(self, called: asyncio.AbstractEventLoop | None = None) -> None:
        loop = asyncio.get_running_loop()
        self.done: dict[str, Any] = {}
        self.order: list[str] = []
        self._bridge = LoopBridge(called or loop, threading.get_ident(), loop.call_soon_threadsafe, loop.call_later)

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


@pytest.fixture
def idle_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs nothing, like one that is blocked."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


async def test_other_requests_are_handled_between_the_slices_of_a_fallback(
    idle_loop: asyncio.AbstractEventLoop,
) -> None:
    desk = Desk(idle_loop)

    def fallback(clause: str) -> Generator[None, None, str]:
        for number in range(3):
            asyncio.get_running_loop().call_soon(desk.order.append, f"request {number}")
            desk.order.append(f"slice {number}")
            yield
        return clause

    desk.ask("viewer", "viewer", fallback=fallback)
    await eventually(lambda: "viewer" in desk.done, what="the result of the fallback")
    assert "the event loop has not answered" in desk.done["viewer"]
    assert desk.order == [f"{what} {number}" for number in range(3) for what in ("slice", "request")]


async def test_an_operators_fallback_waits_for_no_viewers_but_viewers_take_turns(
    idle_loop: asyncio.AbstractEventLoop,
) -> None:
    desk = Desk(idle_loop)

    def until(name: str) -> Callable[[str], Generator[None, None, str]]:
        def fallback(clause: str) -> Generator[None, None, str]:
            while name not in desk.done:
                yield
            return "torn"

        return fallback

    def failing(clause: str) -> Generator[None, None, str]:
        assert "viewer 0" in desk.done
        yield
        raise Refused("Process <5> has ended.")

    desk.ask("viewer 0", "viewer", fallback=until("operator"))
    desk.ask("viewer 1", "viewer", fallback=failing)
    desk.ask("operator", "operator", fallback=lambda clause: "torn")
    await eventually(lambda: len(desk.done) == 3, what="the results of the fallbacks")
    assert (desk.done["viewer 0"], desk.done["operator"]) == ("torn", "torn")
    assert isinstance(desk.done["viewer 1"], Refused)

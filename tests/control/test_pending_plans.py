"""Plans that are being made: one for each connection, a few in all, and none for a client that has gone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from node_runtime.control.pending_plans import MAX_PENDING_PLANS, PendingPlans
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.plan import no_plan
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.nodes.shop_node import Node

pytest_plugins = ["tests.support.nodes.shop_node"]


class Planner:
    """Makes plans that are ready when the test says so."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.dropped: list[str] = []
        self.ready = asyncio.Event()
        self.plans = PendingPlans(self._make)

    async def _make(self, vsn: str) -> m.Plan:
        self.begun.append(vsn)
        try:
            await self.ready.wait()
        except asyncio.CancelledError:
            self.dropped.append(vsn)
            raise
        return no_plan("1", vsn, 1)

    async def ask(self, client: bytes, vsn: str) -> asyncio.Task[m.Plan]:
        task = asyncio.create_task(self.plans.plan(client, vsn))
        await eventually(lambda: vsn in self.begun or task.done(), what="the begin of the plan")
        return task


async def test_a_newer_request_of_a_connection_replaces_its_plan() -> None:
    planner = Planner()
    first = await planner.ask(b"a", "2")
    second = await planner.ask(b"a", "3")
    with pytest.raises(Refused, match="The plan for release 2 was dropped"):
        await first
    planner.ready.set()
    assert (await second).to_vsn == "3"
    assert planner.dropped == ["2"]


async def test_only_so_many_plans_are_made_at_once() -> None:
    planner = Planner()
    tasks = [await planner.ask(bytes([number]), f"{number}") for number in range(MAX_PENDING_PLANS)]
    with pytest.raises(Refused, match=rf"4 plans are being made \(limit {MAX_PENDING_PLANS}\)"):
        await (await planner.ask(b"x", "9"))
    replaced = await planner.ask(bytes([0]), "10")
    planner.ready.set()
    await asyncio.gather(*tasks[1:], replaced)
    assert (await (await planner.ask(b"x", "11"))).to_vsn == "11"


async def test_the_plan_of_a_client_that_has_gone_is_dropped() -> None:
    planner = Planner()
    task = await planner.ask(b"a", "2")
    planner.plans.drop(b"a")
    planner.plans.drop(b"unknown")
    with pytest.raises(Refused, match="was dropped"):
        await task
    assert planner.dropped == ["2"]


async def test_a_second_plan_of_the_same_client_drops_the_first_over_the_socket(shop: Node) -> None:
    async with shop.client() as client:
        first, second = await asyncio.gather(client.plan("1.1"), client.plan("1.1"), return_exceptions=True)
    assert isinstance(first, Refused)
    assert "was dropped, because its client has requested another plan" in first.sentence
    assert isinstance(second, m.Plan)
    assert second.blockers == ()

"""Budgets: a flood of one client, or of one role, costs little and delays nobody else."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
import zmq
import zmq.asyncio

from node_runtime import GenServer, gen_server
from node_runtime.control.budgets import BUDGETS, Budgets, RoleBudget
from node_runtime.control.gateway.limits import GatewayLimits
from node_runtime.control.gateway.token_bucket import Refill
from node_runtime.control.peer import Peer
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.methods import Method
from node_runtime.protocol.wire import pack, unpack

if TYPE_CHECKING:
    from tests.support.nodes.shop_node import Node

pytest_plugins = ["tests.support.nodes.shop_node"]

SMALL = RoleBudget(connection=Refill(1, 10), key=Refill(2, 15), all=Refill(3, 20), refusals=Refill(1, 2))


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def client(number: int, key: bytes = b"key", role: m.Role = "viewer") -> Peer:
    return Peer(bytes([number]), key, key.decode(), role, "127.0.0.1")


# ------------------------------------------------------------------ the buckets


def test_the_gateway_passes_on_few_messages_of_viewers_that_the_node_can_only_refuse() -> None:
    """A refusal takes little time, but the event loop can't run meanwhile."""
    assert GatewayLimits().max_viewer_messages_per_second <= 1.25 * BUDGETS["viewer"].all.per_second


def test_a_connection_that_has_spent_its_tokens_has_to_wait_until_they_are_refilled() -> None:
    clock = Clock()
    budgets = Budgets({"viewer": SMALL}, clock)
    assert budgets.take(client(1), 8) is None
    shortage = budgets.take(client(1), 5)
    assert shortage is not None
    assert (shortage.whom, shortage.seconds) == ("this connection", 3)
    assert shortage.sentence == "Too many requests from this connection: nothing was done; try again in 3 s."
    clock.now += 3
    assert budgets.take(client(1), 5) is None


def test_connections_with_one_key_share_its_tokens_and_all_clients_share_those_of_the_role() -> None:
    budgets = Budgets({"viewer": SMALL}, Clock())
    assert budgets.take(client(1, b"ana"), 9) is None
    shortage = budgets.take(client(2, b"ana"), 9)
    assert shortage is not None
    assert shortage.whom == "connections with the key ana"
    assert budgets.take(client(3, b"bob"), 9) is None
    shortage = budgets.take(client(4, b"eve"), 9)
    assert shortage is not None
    assert shortage.whom == "viewers"


def test_a_refused_request_costs_nothing() -> None:
    budgets = Budgets({"viewer": SMALL}, Clock())
    assert budgets.take(client(1), 9) is None
    for _ in range(1000):
        assert budgets.take(client(1), 9) is not None
    assert budgets.take(client(1), 1) is None


def test_what_exceeds_a_full_bucket_is_paid_afterwards() -> None:
    clock = Clock()
    budgets = Budgets({"viewer": SMALL}, clock)
    assert budgets.take(client(1), 12) is None
    budgets.charge(client(1), 3)
    shortage = budgets.take(client(1), 1)
    assert shortage is not None
    assert shortage.seconds == 6
    clock.now += 6
    assert budgets.take(client(1), 1) is None


def test_refusals_are_delayed_and_who_does_not_wait_for_them_gets_none() -> None:
    clock = Clock()
    budgets = Budgets({"viewer": SMALL}, clock)
    assert [budgets.refusal_delay(client(1)) for _ in range(5)] == [0, 0, 1, None, None]
    for _ in range(5):
        clock.now += 1
        assert budgets.refusal_delay(client(1)) == 1
    clock.now += 10
    assert budgets.refusal_delay(client(1)) == 0


def test_only_urgent_requests_may_spend_the_reserve() -> None:
    operators = RoleBudget(Refill(1, 10), Refill(1, 10), Refill(1, 10), refusals=Refill(1, 1), reserve=4)
    budgets = Budgets({"operator": operators}, Clock())
    assert budgets.take(client(1, role="operator"), 5) is None
    assert budgets.take(client(1, role="operator"), 2) is not None
    assert budgets.take(client(2, role="operator"), 2, urgent=True) is None


def test_viewers_never_pay_from_the_operators_buckets() -> None:
    budgets = Budgets({"viewer": SMALL, "operator": SMALL}, Clock())
    while budgets.take(client(1), 1) is None:
        pass
    assert budgets.take(client(1, role="operator"), 10) is None


def test_a_closed_connection_leaves_no_bucket_and_its_number_starts_anew() -> None:
    budgets = Budgets({"viewer": SMALL}, Clock())
    assert budgets.take(client(1), 10) is None
    budgets.forget(client(1).routing_id)
    assert budgets.take(client(1), 5) is None


def test_an_operators_budget_has_a_reserve_for_several_rollbacks() -> None:
    assert BUDGETS["operator"].reserve >= 3 * methods.ROLLBACK.cost
    assert [method.name for method in methods.METHODS if method.urgent] == ["rollback", "abort", "stop"]


# ------------------------------------------------------------------ over the socket


class Flooder:
    """A client that sends requests without waiting for replies, which no client of ours does."""

    def __init__(self, socket: zmq.asyncio.Socket) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    async def send(self, method: Method[Any, Any], params: m.WireStruct, times: int = 1) -> None:
        for _ in range(times):
            request = m.Request(id=next(self._numbers), method=method.name, params=pack(params))
            await self._socket.send(pack(request))

    async def replies(self, until: int) -> list[m.Reply]:
        """Return the replies up to that of the request number `until`."""
        received = [unpack(await asyncio.wait_for(self._socket.recv(), 60), m.Reply)]
        while received[-1].id != until:
            received.append(unpack(await asyncio.wait_for(self._socket.recv(), 60), m.Reply))
        return received

    async def replies_within(self, seconds: float) -> list[m.Reply]:
        """Return the next reply, if it comes within so many seconds."""
        with suppress(TimeoutError):
            return [unpack(await asyncio.wait_for(self._socket.recv(), seconds), m.Reply)]
        return []


@asynccontextmanager
async def flooder(shop: Node, role: m.Role = "viewer") -> AsyncIterator[Flooder]:
    address = shop.address(role)
    context = zmq.asyncio.Context()
    socket = context.socket(zmq.DEALER)
    socket.curve_secretkey, socket.curve_serverkey = address.cookie.secret, address.cookie.server
    socket.curve_publickey = zmq.curve_public(address.cookie.secret)
    socket.connect(f"tcp://{address.host}:{address.port}")
    try:
        yield Flooder(socket)
    finally:
        context.destroy(linger=0)


async def test_a_viewers_flood_is_refused_and_operators_are_still_answered(shop: Node) -> None:
    async with flooder(shop) as flood, shop.client() as operator:
        await flood.send(methods.AUDIT, m.ListLimit(limit=1000), times=100)
        with pytest.raises(Refused, match="There is nothing to roll back"):
            await operator.request(methods.ROLLBACK, m.Rollback())
        replies = await flood.replies(until=2)
    assert replies[-1].failure is None
    sentences = {reply.failure.sentence for reply in replies if reply.failure is not None}
    assert sentences
    for sentence in sentences:
        assert sentence.startswith("Too many requests from this connection: nothing was done; try again in ")
    assert {reply.failure.code for reply in replies if reply.failure is not None} == {ExitCode.REFUSED}


async def test_a_client_that_waits_for_replies_always_gets_one(shop: Node) -> None:
    refusals: list[str] = []
    async with shop.client("viewer") as client:
        while len(refusals) < 30:  # more than the refusals that are sent without a delay
            try:
                await client.request(methods.AUDIT, m.ListLimit(limit=1))
            except Refused as refused:
                refusals.append(refused.sentence)
    assert {sentence[:42] for sentence in refusals} == {"Too many requests from this connection: no"}


async def test_after_many_refusals_a_client_gets_no_reply_until_it_pauses(shop: Node) -> None:
    async with flooder(shop) as flood:
        await flood.send(methods.AUDIT, m.ListLimit(limit=1), times=200)
        replies = await flood.replies(until=1)
        async with asyncio.timeout(60):
            while not any(reply.id > 200 and reply.failure is None for reply in replies):
                await flood.send(methods.PING, m.Empty())
                replies += await flood.replies_within(0.2)
    assert len([reply for reply in replies if reply.id <= 200]) < 100


class Verbose(GenServer[list[dict[str, str]]]):
    """Its state takes far more time to describe than a viewer's connection may spend at once."""

    def init(self) -> list[dict[str, str]]:
        return [{f"address {number}": "https://example.org/?q=" + "x" * 200} for number in range(4000)]


async def test_an_answer_that_was_made_is_sent_and_paid_afterwards(shop: Node) -> None:
    pid = await gen_server.start(Verbose)
    async with shop.client("viewer") as client:
        view = await client.request(methods.STATE, m.GetState(pid=int(pid)))
        assert view.process.pid == int(pid)
        with pytest.raises(Refused, match="Too many requests from this connection") as caught:
            await client.request(methods.STATE, m.GetState(pid=int(pid)))
        assert caught.value.retry_after is not None
        assert caught.value.retry_after > 0

"""Clients with a viewer's key that want to harm: neither the node nor other clients notice them."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from node_runtime.control import event_source
from node_runtime.control.event_source import BATCH_SECONDS
from node_runtime.control.gateway.limits import GatewayLimits, RoleLimits
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.wire import unpack
from tests.support.os_processes import gateway_of, running_gateway
from tests.support.waiting import answered, eventually

if TYPE_CHECKING:
    from tests.support.nodes.shop_node import Node
    from tests.support.raw_client import ConnectRaw

pytest_plugins = ["tests.support.nodes.shop_node", "tests.support.raw_client"]
MIB = 1 << 20
LIBZMQS_FIRST_ID = 0xE43C9869
"""The first id that libzmq assigns if nobody has seeded the C library's `rand`."""

SILENT_CONNECTIONS = """
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
held = [socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20) for _ in range(1100)]
print("open", flush=True)
sys.stdin.read()
"""


def claimed(number: int) -> bytes:
    return b"\0" + (number % 2**32).to_bytes(4, "big")


async def serves(client: Client) -> None:
    """The node answers this client."""
    assert (await client.request(methods.RELEASES)).releases


async def test_ids_that_libzmq_could_assign_next_end_nothing_when_clients_claim_them(
    shop: Node, connect_raw: ConnectRaw
) -> None:
    gateway, address = running_gateway(), shop.address("viewer")
    claimants = [connect_raw(address, routing_id=claimed(LIBZMQS_FIRST_ID + number)) for number in range(40)]
    for claimant in claimants:
        await claimant.connected()
    for _ in range(45):
        async with shop.client("viewer") as client:
            await client.request(methods.PING)
    assert running_gateway() == gateway


async def test_a_client_that_chooses_its_id_is_disconnected(shop: Node, connect_raw: ConnectRaw) -> None:
    for routing_id in (b"me", claimed(LIBZMQS_FIRST_ID), b"\0abc"):
        raw = connect_raw(shop.address("viewer"), routing_id=routing_id)
        await raw.send(methods.PING)
        await raw.disconnected()


async def test_a_message_of_many_frames_is_cut_off_and_others_are_served(shop: Node, connect_raw: ConnectRaw) -> None:
    gateway = running_gateway()
    raw = connect_raw(shop.address("viewer"))
    await raw.connected()
    async with shop.client("viewer") as other:
        sending = asyncio.ensure_future(raw.socket.send_multipart([bytes(100_000)] * 2000))
        await raw.disconnected()
        await serves(other)
    await sending
    assert running_gateway() == gateway
    assert gateway.memory_info().vms < GatewayLimits().max_memory


async def test_a_small_message_of_two_frames_is_refused(shop: Node, connect_raw: ConnectRaw) -> None:
    raw = connect_raw(shop.address())
    await raw.socket.send_multipart([b"a", b"b"])
    await raw.disconnected()


async def test_what_does_not_fit_into_the_memory_of_the_gateway_leaves_the_node_alone(
    shop: Node, connect_raw: ConnectRaw
) -> None:
    """The last line: the limits of an operator are wide."""
    shop.open_control(GatewayLimits(max_memory=160 * MIB))
    raw = connect_raw(shop.address())
    await raw.request(methods.PING)
    await raw.socket.send_multipart([bytes(MIB - 100)] * 150)
    await raw.disconnected()
    await eventually(gateway_of, what="a gateway")
    assert running_gateway().memory_info().vms <= 160 * MIB
    async with shop.client() as client:
        await serves(client)


async def test_subscriptions_as_large_as_requests_may_be_fill_nothing(shop: Node, connect_raw: ConnectRaw) -> None:
    gateway = running_gateway()
    raw = connect_raw(shop.address("viewer"))
    async with shop.client("viewer") as other:
        await raw.flood(methods.SUBSCRIBE, bytes(900_000))
        await serves(other)
    assert running_gateway() == gateway
    assert gateway.memory_info().rss < 100 * MIB


async def test_a_viewer_that_sends_too_many_requests_is_disconnected_and_the_log_has_one_line(
    shop: Node, connect_raw: ConnectRaw, caplog: pytest.LogCaptureFixture
) -> None:
    slow = RoleLimits(max_connections=9, max_bytes_per_second=MIB, max_messages_per_second=50)
    shop.open_control(GatewayLimits(viewer=slow))
    floods = [connect_raw(shop.address("viewer")) for _ in range(5)]
    async with shop.client() as operator:
        await asyncio.gather(*(raw.flood(methods.PING, number=500) for raw in floods))
        await serves(operator)
        await eventually(lambda: "too many messages" in caplog.text, what="the report")
    assert len([record for record in caplog.records if "control plane closed" in record.getMessage()]) <= 2


async def test_many_viewers_together_cannot_ask_more_than_their_share(shop: Node, connect_raw: ConnectRaw) -> None:
    """Each one alone stays below its own limit."""
    shop.open_control(GatewayLimits(max_viewer_messages_per_second=50))
    floods = [connect_raw(shop.address("viewer")) for _ in range(4)]
    async with shop.client("viewer") as quiet, shop.client() as operator:
        await asyncio.gather(*(raw.flood(methods.PING, number=200) for raw in floods))
        await serves(quiet)
        await serves(operator)


async def test_a_viewer_that_does_not_read_its_answers_is_disconnected(
    shop: Node, connect_raw: ConnectRaw, caplog: pytest.LogCaptureFixture
) -> None:
    shop.open_control(GatewayLimits(max_unread_bytes=100_000))
    raw = connect_raw(shop.address("viewer"), reading=False)
    for number in range(500):
        logging.getLogger("shop").warning("%d %s", number, "x" * 280)
    async with shop.client("viewer") as other:
        for _ in range(50):
            await raw.send(methods.EVENTS, m.ListLimit(limit=500))
        await eventually(lambda: "did not read what they had requested" in caplog.text, what="the report")
        await serves(other)


async def published(client: Client, text: str) -> int:
    """Wait until the node's newest event has `text`; return its number."""

    async def newest() -> int | None:
        (event,) = (await client.request(methods.EVENTS, m.ListLimit(limit=1))).events
        return event.seq if text in event.text else None

    return await answered(newest, text, pause=BATCH_SECONDS)  # requests have a budget


async def test_a_subscriber_that_does_not_read_loses_events_but_not_its_connection(
    shop: Node, connect_raw: ConnectRaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_source, "MAX_RECORDS_PER_BATCH", 3000)  # of more records at once, it counts the rest
    shop.open_control(GatewayLimits(max_unread_bytes=20_000))
    raw = connect_raw(shop.address("viewer"), reading=False)
    await raw.send(methods.SUBSCRIBE)
    async with shop.client() as client:
        for number in range(3000):
            logging.getLogger("shop").warning("%d %s", number, "x" * 280)
        last = await published(client, "2999 x")
    numbers: list[int] = []
    while not numbers or numbers[-1] < last:
        reply = await raw.receive()
        if reply.event is not None:
            numbers.append(unpack(reply.event, m.NodeEvent).seq)
    assert numbers == sorted(numbers)
    assert len(numbers) < numbers[-1] - numbers[0] + 1


async def test_viewers_cannot_take_the_connections_of_operators(shop: Node, connect_raw: ConnectRaw) -> None:
    few = RoleLimits(max_connections=3, max_bytes_per_second=MIB, max_messages_per_second=100)
    shop.open_control(GatewayLimits(viewer=few))
    viewers = [connect_raw(shop.address("viewer")) for _ in range(3)]
    for viewer in viewers:
        await viewer.request(methods.PING)
    one_more = connect_raw(shop.address("viewer"))
    await one_more.send(methods.PING)
    await one_more.disconnected()
    async with shop.client() as operator:
        await serves(operator)


async def test_connections_that_send_nothing_hurt_neither_operators_nor_users_of_the_application(shop: Node) -> None:
    """The application's listener is a server of this process, which has no descriptor of the gateway's connections."""
    descriptors = psutil.Process().num_fds()
    users = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    command = (sys.executable, "-c", SILENT_CONNECTIONS, str(shop.port))
    attacker = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert attacker.stdin is not None
    assert attacker.stdout is not None
    await attacker.stdout.readline()
    async with shop.client() as operator:
        await serves(operator)
        reader, writer = await asyncio.open_connection(*users.sockets[0].getsockname())
        assert await reader.read() == b""
        writer.close()
        assert psutil.Process().num_fds() < descriptors + 50
    attacker.stdin.close()
    await attacker.wait()
    users.close()


async def test_a_connection_that_sends_no_request_is_closed(shop: Node, connect_raw: ConnectRaw) -> None:
    shop.open_control(GatewayLimits(max_silent_seconds=0.2))
    raw = connect_raw(shop.address("viewer"))
    await raw.disconnected()

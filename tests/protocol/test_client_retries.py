"""Connections that end before the node's first reply: the client tries again, and says why it gives up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import zmq

from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.run_directory import NodeAddress

if TYPE_CHECKING:
    from tests.support.nodes.shop_node import Node

pytest_plugins = ["tests.support.nodes.shop_node"]

GREETING, HANDSHAKE = 64, 64 + 170 + 45
"""Bytes that a node sends up to the end of the greeting, and of the handshake; then comes its first reply."""


@asynccontextmanager
async def cutting(address: NodeAddress, cuts: list[int]) -> AsyncIterator[NodeAddress]:
    """Relay connections to the node. Each of the first ones is cut after the node has sent so many bytes."""
    left = iter(cuts)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        limit = next(left, 1 << 30)
        from_node, to_node = await asyncio.open_connection(address.host, address.port)
        pumps = [
            asyncio.ensure_future(each) for each in (pump(reader, to_node, 1 << 30), pump(from_node, writer, limit))
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for each in pumps:  # from 3.12.1 on, a server that closes waits for connections of which one end is open
            each.cancel()
        for end in (writer, to_node):
            end.close()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int) -> None:
        with suppress(ConnectionError):
            while limit and (data := await reader.read(min(limit, 4096))):
                writer.write(data)
                await writer.drain()
                limit -= len(data)

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    async with server:
        yield replace(address, port=server.sockets[0].getsockname()[1])


async def refusal(address: NodeAddress) -> Refused:
    with pytest.raises(Refused) as caught:
        async with Client.connect(address, user="ann", client_name="test"):
            pass
    return caught.value


@pytest.mark.parametrize("cut", [0, GREETING, HANDSHAKE])
async def test_a_client_tries_again_when_the_node_closes_its_connection_early(shop: Node, cut: int) -> None:
    async with (
        cutting(shop.address(), [cut] * 3) as address,
        Client.connect(address, user="ann", client_name="test") as client,
    ):
        await client.request(methods.PING)


async def test_a_node_that_closes_every_connection_is_said_to_do_so(shop: Node) -> None:
    async with cutting(shop.address(), [GREETING] * 4) as address:
        refused = await refusal(address)
    assert refused.code == ExitCode.UNREACHABLE
    assert "closes connections during the handshake: too many clients connect at once, or" in refused.sentence


async def test_a_key_that_the_node_refuses_is_not_tried_again(shop: Node) -> None:
    address = shop.address()
    stranger = replace(address.cookie, secret=zmq.curve_keypair()[1])
    async with cutting(replace(address, cookie=stranger), [1 << 30, 0]) as relayed:
        refused = await refusal(relayed)
    assert refused.code == ExitCode.NOT_ALLOWED
    assert "does not know this cookie" in refused.sentence

"""A client that sends what the real one never would: raw frames over a connection with a valid key."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from typing import TypeAlias, TypeVar

import pytest
import zmq
import zmq.asyncio

from node_runtime.protocol import messages as m
from node_runtime.protocol.connection.client_socket import NO_RECONNECTION_MS
from node_runtime.protocol.methods import Method
from node_runtime.protocol.run_directory import NodeAddress
from node_runtime.protocol.wire import pack, unpack

P = TypeVar("P", bound=m.WireStruct)
R = TypeVar("R", bound=m.WireStruct)
LIMIT = 60.0
"""Seconds after which a test gives up."""


class RawClient:
    """One connection; `routing_id` is the id that the client claims. Without `reading`, libzmq buffers nothing."""

    def __init__(self, address: NodeAddress, *, routing_id: bytes = b"", reading: bool = True) -> None:
        self._context = zmq.asyncio.Context()
        self.socket = self._context.socket(zmq.DEALER)
        self.socket.linger = 0
        if routing_id:
            self.socket.setsockopt(zmq.ROUTING_ID, routing_id)
        if not reading:
            self.socket.setsockopt(zmq.RCVHWM, 1)
            self.socket.setsockopt(zmq.RCVBUF, 4096)
        self.socket.setsockopt(zmq.RECONNECT_IVL, NO_RECONNECTION_MS)
        self.socket.curve_secretkey, self.socket.curve_serverkey = address.cookie.secret, address.cookie.server
        self.socket.curve_publickey = zmq.curve_public(address.cookie.secret)
        self._monitor = self.socket.get_monitor_socket(zmq.Event.DISCONNECTED | zmq.Event.HANDSHAKE_SUCCEEDED)
        self._ids = itertools.count(1)
        self.socket.connect(f"tcp://{address.host}:{address.port}")

    async def send(self, method: Method[P, R], params: P | None = None) -> int:
        """Send a request; returns its id."""
        number = next(self._ids)
        body = pack(m.Empty() if params is None else params)
        await self.socket.send(pack(m.Request(id=number, method=method.name, params=body)))
        return number

    async def receive(self) -> m.Reply:
        """The next reply or event."""
        return unpack(await asyncio.wait_for(self.socket.recv(), LIMIT), m.Reply)

    async def request(self, method: Method[P, R], params: P | None = None) -> m.Reply:
        """Send a request and return its reply; events and other replies in between are ignored."""
        number = await self.send(method, params)
        while (reply := await self.receive()).id != number:
            pass
        return reply

    async def flood(self, method: Method[P, R], params: bytes = b"\x80", number: int = 1000) -> None:
        """Send at most `number` requests, whose parameters need not be valid, until the node closes the connection."""
        body = pack(m.Request(id=next(self._ids), method=method.name, params=params))

        async def send_all() -> None:
            for _ in range(number):
                await self.socket.send(body)
            await asyncio.Event().wait()

        sending = asyncio.create_task(send_all())
        await self.disconnected()
        sending.cancel()

    async def connected(self) -> None:
        """Wait until the handshake is done."""
        await asyncio.wait_for(self._monitor.recv_multipart(), LIMIT)

    async def disconnected(self) -> None:
        """Wait until the node has closed the connection."""
        while True:
            event, _ = await asyncio.wait_for(self._monitor.recv_multipart(), LIMIT)
            if int.from_bytes(event[:2], "little") == zmq.Event.DISCONNECTED:
                return

    def close(self) -> None:
        """Close the connection."""
        self._context.destroy(linger=0)


ConnectRaw: TypeAlias = Callable[..., RawClient]


@pytest.fixture
def connect_raw() -> Iterator[ConnectRaw]:
    """Makes raw clients, and closes them at the end of the test, also if it fails."""
    made: list[RawClient] = []

    def connect(address: NodeAddress, *, routing_id: bytes = b"", reading: bool = True) -> RawClient:
        made.append(RawClient(address, routing_id=routing_id, reading=reading))
        return made[-1]

    yield connect
    for raw in made:
        raw.close()

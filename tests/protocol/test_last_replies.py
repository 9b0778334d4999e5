"""A reply that arrives right before the end of its connection is not lost."""

from __future__ import annotations

import asyncio
import select
import threading
from contextlib import AsyncExitStack

import zmq

from node_runtime.control.gateway.limits import GatewayLimits
from node_runtime.control.gateway.seam import Configure, Deliver, FromGateway, Listening, Received, Seam, StopGateway
from node_runtime.control.gateway_process import GatewayProcess
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.cookie import Cookie
from node_runtime.protocol.key_ring import KeyRing, RingKey
from node_runtime.protocol.run_directory import NodeAddress
from node_runtime.protocol.wire import pack, unpack

NODES, CLIENTS = 10, 3
INFO = m.NodeInfo(
    name="last@h", boot_id="b", os_pid=1, directory="/", release="r", vsn="1", permanent="1", python="3", runtime="1",
    started=0.0, generation=0, role="operator", max_message=1,
)  # fmt: skip


class LastNode:
    """A node at a real gateway. When all clients have requested its stop, it answers them and ends, without a pause."""

    def __init__(self) -> None:
        self._process = GatewayProcess()
        self._seam: Seam[FromGateway] = Seam(self._process.connection, FromGateway)
        public, secret = zmq.curve_keypair()
        server, server_secret = zmq.curve_keypair()
        ring = KeyRing((RingKey(public, "ann", "operator"),))
        self._seam.put(Configure("127.0.0.1", 0, server_secret, ring, GatewayLimits()))
        self._seam.flush()
        (listening,) = self._arrived()
        assert isinstance(listening, Listening)
        self.address = NodeAddress("last@h", "127.0.0.1", listening.port, Cookie("operator", secret, server))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._process.kill()
        self._thread.join()
        self._process.wait()

    def _arrived(self) -> list[FromGateway]:
        while True:
            select.select([self._seam], [], [])
            if messages := self._seam.take():
                return messages

    def _serve(self) -> None:
        stops: list[Deliver] = []
        while len(stops) < CLIENTS:
            for message in self._arrived():
                if isinstance(message, Received):
                    request = unpack(message.body, m.Request)
                    greets = request.method == "hello"
                    reply = m.Reply(id=request.id, result=pack(INFO if greets else m.Empty()))
                    (self._seam.put if greets else stops.append)(Deliver(message.routing_id, pack(reply)))
            self._seam.flush()
        for last in stops:
            self._seam.put(last)
        self._seam.put(StopGateway())
        self._seam.flush()


async def stopped() -> list[m.Empty]:
    """Let clients stop a node; return their replies."""
    async with AsyncExitStack() as stack:
        node = LastNode()
        stack.callback(node.close)
        clients = [
            await stack.enter_async_context(Client.connect(node.address, user="ann", client_name="test"))
            for _ in range(CLIENTS)
        ]
        return await asyncio.gather(*(client.request(methods.STOP, m.StopNode(reason="the end")) for client in clients))


async def test_every_client_gets_the_reply_of_a_node_that_ends_right_after_it() -> None:
    """libzmq drops replies that have arrived, if the end of the connection comes at once and it may not reconnect."""
    for _ in range(NODES):
        assert await stopped() == [m.Empty()] * CLIENTS

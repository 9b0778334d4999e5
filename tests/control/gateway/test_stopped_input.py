"""A connection whose messages nobody takes may end at any time without an end of the gateway."""

from __future__ import annotations

import select
import socket

import zmq

from node_runtime.control.gateway.limits import GatewayLimits
from node_runtime.control.gateway.seam import Configure, FromGateway, Listening, Seam
from node_runtime.control.gateway_process import GatewayProcess
from node_runtime.protocol.key_ring import KeyRing, RingKey
from node_runtime.protocol.messages import Role
from node_runtime.protocol.wire import HEARTBEAT_SECONDS, MAX_REQUEST_BYTES

WAIT = 60.0
SILENT_SECONDS = 0.5
FULL_MS = 700
"""If nothing can be sent for so long, all buffers are full; a slow machine may make the test miss what it looks for."""


class Attacker:
    """A client with a key of its own, which sends without ever reading."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], role: Role) -> None:
        self._public, secret = zmq.curve_keypair()
        self.key = RingKey(self._public, f"some-{role}", role)
        self._socket = context.socket(zmq.DEALER)
        self._socket.linger = 0
        self._socket.sndhwm = 1
        self._socket.setsockopt(zmq.RECONNECT_IVL, -1)
        self._socket.curve_publickey, self._socket.curve_secretkey = self._public, secret

    def connect(self, server: bytes, port: int) -> zmq.Socket[bytes]:
        self._socket.curve_serverkey = server
        self._socket.connect(f"tcp://127.0.0.1:{port}")
        return self._socket


def test_a_connection_that_is_closed_while_the_node_takes_no_requests_does_not_end_the_gateway() -> None:
    """libzmq's timer for heartbeats aborts the process if it meets such a connection."""
    process = GatewayProcess()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        filler, viewer = Attacker(context, "operator"), Attacker(context, "viewer")
        server, secret = zmq.curve_keypair()
        seam: Seam[FromGateway] = Seam(process.connection, FromGateway)
        limits = GatewayLimits(max_silent_seconds=SILENT_SECONDS)
        seam.put(Configure("127.0.0.1", 0, secret, KeyRing((filler.key, viewer.key)), limits))
        seam.flush()
        arrived: list[FromGateway] = []
        while not arrived:
            assert select.select([seam], [], [], WAIT)[0]
            arrived = seam.take()
        (listening,) = arrived
        assert isinstance(listening, Listening)
        # Nobody reads the seam any more, so the gateway soon takes no more messages from its clients.
        filling = filler.connect(server, listening.port)
        while filling.poll(FULL_MS, zmq.POLLOUT):
            filling.send(b"x" * (MAX_REQUEST_BYTES - 1000))
        stopped = viewer.connect(server, listening.port)
        while stopped.poll(FULL_MS, zmq.POLLOUT):
            stopped.send(b"x" * 1000)
        for _ in range(round(1.25 * HEARTBEAT_SECONDS / SILENT_SECONDS)):
            closed_for_silence(listening.port)
        assert process.running
    finally:
        context.destroy(linger=0)
        process.kill()
        process.wait()


def closed_for_silence(port: int) -> None:
    """Return when the gateway has closed a connection that sends nothing, or when there is no gateway."""
    try:
        with socket.create_connection(("127.0.0.1", port), WAIT) as silent:
            while silent.recv(1000):
                pass
    except OSError:
        pass

"""Messages of a client that has gone are never taken for those of the client that got its descriptor."""

from __future__ import annotations

import select

import psutil
import zmq

from node_runtime.control.gateway.limits import GatewayLimits
from node_runtime.control.gateway.seam import Configure, Deliver, FromGateway, Listening, Received, Seam
from node_runtime.control.gateway_process import GatewayProcess
from node_runtime.protocol.key_ring import KeyRing
from node_runtime.protocol.wire import MAX_REQUEST_BYTES
from tests.control.gateway.test_stopped_input import FULL_MS, WAIT, Attacker
from tests.support.waiting import until


def test_late_messages_of_a_viewer_take_no_answer_from_the_operator_who_got_its_descriptor() -> None:
    process = GatewayProcess()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        filler, viewer, operator = (Attacker(context, role) for role in ("operator", "viewer", "operator"))
        server, secret = zmq.curve_keypair()
        seam: Seam[FromGateway] = Seam(process.connection, FromGateway)
        ring = KeyRing((filler.key, viewer.key, operator.key))
        seam.put(Configure("127.0.0.1", 0, secret, ring, GatewayLimits()))
        seam.flush()
        arrived: list[FromGateway] = []
        while not arrived:
            assert select.select([seam], [], [], WAIT)[0]
            arrived = seam.take()
        (listening,) = arrived
        assert isinstance(listening, Listening)
        # While nobody reads the seam, the gateway soon takes no more messages from its clients.
        filling = filler.connect(server, listening.port)
        while filling.poll(FULL_MS, zmq.POLLOUT):
            filling.send(b"x" * (MAX_REQUEST_BYTES - 1000))
        descriptors = psutil.Process(process.pid).num_fds()
        late = viewer.connect(server, listening.port)
        for _ in range(5):
            assert late.poll(round(WAIT * 1000), zmq.POLLOUT)
            late.send(b"late")
        until(lambda: psutil.Process(process.pid).num_fds() > descriptors, "the viewer's connection", within=WAIT)
        late.close(linger=round(WAIT * 1000))
        until(lambda: psutil.Process(process.pid).num_fds() == descriptors, "the viewer's end", within=WAIT)
        asking = operator.connect(server, listening.port)
        asking.send(b"hello")
        until(lambda: psutil.Process(process.pid).num_fds() > descriptors, "the operator's connection", within=WAIT)

        def is_answered() -> bool:
            for message in seam.take() if select.select([seam], [], [], 0)[0] else ():
                if isinstance(message, Received) and message.key == operator.key.public:
                    seam.put(Deliver(message.routing_id, b"answer"))
                    seam.flush()
            return bool(asking.poll(0))

        until(is_answered, "the answer to the operator", within=WAIT)
        assert asking.recv() == b"answer"
    finally:
        context.destroy(linger=0)
        process.kill()
        process.wait()

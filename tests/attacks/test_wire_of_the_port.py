"""Attacks below the messages: greetings, handshakes, heartbeats and ends of connections, with and without a cookie."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from dataclasses import replace
from threading import Thread

import pytest
import zmq

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.wire import pack
from tests.support.attacks.attacked_node import AttackedNode
from tests.support.attacks.thief import encoded_request, stolen
from tests.support.os_processes import running_gateway

WAIT = 30.0
SIGNATURE = b"\xff" + b"\0" * 8 + b"\x7f"
"""The first ten bytes of each greeting of ZMTP."""
PING = encoded_request("ping")
SHORT_FRAME = bytes([0, len(PING)]) + PING


def greeting(mechanism: bytes, *, minor: int = 1, as_server: bool = False) -> bytes:
    """A whole greeting of ZMTP 3 (64 bytes)."""
    return SIGNATURE + bytes([3, minor]) + mechanism.ljust(20, b"\0") + bytes([as_server]) + b"\0" * 31


def command(name: bytes, body: bytes) -> bytes:
    """A short command frame of ZMTP 3."""
    content = bytes([len(name)]) + name + body
    return bytes([4, len(content)]) + content


@contextlib.contextmanager
def stranger(node: AttackedNode) -> Iterator[socket.socket]:
    """A TCP connection to the control port."""
    record = node.record
    with socket.create_connection((record.host, record.port), WAIT) as connected:
        yield connected


def read_to_the_end(connected: socket.socket) -> bytes:
    """All that the node sends until it closes the connection, which it has to do within the time limit."""
    received = b""
    try:
        while piece := connected.recv(65_536):
            received += piece
    except ConnectionResetError:
        pass
    return received


STRANGERS = {
    "ZMTP 1, unversioned": b"\x01\x00" + bytes([len(PING) + 1, 0]) + PING,
    "ZMTP 2": SIGNATURE + b"\x01\x05" + b"\0\0" + SHORT_FRAME,
    "no security": greeting(b"NULL") + command(b"READY", b"") + SHORT_FRAME,
    "a password": greeting(b"PLAIN") + command(b"HELLO", b"\x05admin\x05admin") + SHORT_FRAME,
    "CURVE as a server": greeting(b"CURVE", as_server=True) + SHORT_FRAME,
    "CURVE, a request at once": greeting(b"CURVE") + SHORT_FRAME,
    "CURVE, ready at once": greeting(b"CURVE") + command(b"READY", b"") + SHORT_FRAME,
    "CURVE, a hello of zeros": greeting(b"CURVE") + command(b"HELLO", b"\x01\0".ljust(194, b"\0")) + SHORT_FRAME,
    "CURVE, an initiate first": greeting(b"CURVE") + command(b"INITIATE", b"\0" * 240) + SHORT_FRAME,
    "version 255": SIGNATURE + b"\xff\xff" + b"CURVE".ljust(20, b"\0") + b"\0" * 32 + SHORT_FRAME,
    "a mechanism that is none": greeting(b"\xff" * 20) + SHORT_FRAME,
    "a frame of 2^63 bytes": greeting(b"CURVE") + b"\x02" + struct.pack(">Q", 1 << 63),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,
    "nothing but ones": b"\xff" * 4096,
}


@pytest.mark.parametrize("sent", STRANGERS)
def test_a_peer_without_a_key_that_speaks_another_language(attacked: AttackedNode, sent: str) -> None:
    """Older versions of ZMTP have no encryption: nobody may fall back to them."""
    with stranger(attacked) as connected:
        with contextlib.suppress(OSError):
            connected.sendall(STRANGERS[sent])
        received = read_to_the_end(connected)
    assert b"ping" not in received
    assert len(received) <= 64 + 200  # the node's own greeting, and an error of the handshake


def test_handshakes_that_are_sent_byte_by_byte(attacked: AttackedNode) -> None:
    """Each byte comes in time; the whole handshake does not."""
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(stranger(attacked)) for _ in range(100)]
        for byte in greeting(b"CURVE")[:20]:
            for connected in slow:
                with contextlib.suppress(OSError):
                    connected.sendall(bytes([byte]))
        attacked.ask(methods.PING)
        for connected in slow:
            read_to_the_end(connected)


def pass_on(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
    """Pass on all bytes in one direction, and keep them, until one end is closed."""
    with contextlib.suppress(OSError):
        while piece := source.recv(65_536):
            kept += piece
            target.sendall(piece)


def recorded_connection(node: AttackedNode) -> bytes:
    """All that an operator's client sends over a connection in which it makes one request."""
    address, sent = node.address("operator"), bytearray()
    with socket.create_server(("127.0.0.1", 0)) as proxy, contextlib.ExitStack() as stack:
        thief = stack.enter_context(stolen(replace(address, port=proxy.getsockname()[1])))
        client, _ = proxy.accept()
        server = socket.create_connection((address.host, address.port), WAIT)
        stack.callback(client.close)
        stack.callback(server.close)
        Thread(target=pass_on, args=(client, server, sent), daemon=True).start()
        Thread(target=pass_on, args=(server, client, bytearray()), daemon=True).start()
        reply = thief.request("releases")
        assert reply is not None
        assert reply.failure is None
    return bytes(sent)


def test_a_recorded_connection_that_is_played_again(attacked: AttackedNode) -> None:
    """Somebody in the network has recorded an operator's connection, and sends the same bytes again."""
    recorded = recorded_connection(attacked)
    assert len(recorded) > 500
    with stranger(attacked) as connected:
        with contextlib.suppress(OSError):
            connected.sendall(recorded)
        received = read_to_the_end(connected)
    assert len(received) < 700  # the greeting and the node's part of a handshake, but no answer


@pytest.mark.parametrize(
    "options",
    [
        {zmq.HEARTBEAT_IVL: 1, zmq.HEARTBEAT_TTL: 6_553_000, zmq.HEARTBEAT_TIMEOUT: 60_000},
        {zmq.HEARTBEAT_IVL: 1, zmq.HEARTBEAT_TTL: 100, zmq.HEARTBEAT_TIMEOUT: 60_000},
        {zmq.HEARTBEAT_IVL: 2000, zmq.HEARTBEAT_TTL: 100, zmq.HEARTBEAT_TIMEOUT: 60_000},
    ],
    ids=["each millisecond", "with a short life", "of a life shorter than the pause"],
)
def test_a_flood_of_heartbeats(attacked: AttackedNode, options: dict[int, int]) -> None:
    gateway = running_gateway(attacked.record.os_pid)
    with stolen(attacked.address("viewer"), options=options) as thief:
        sockets = [thief.connect() for _ in range(60)]
        for each in sockets:
            thief.send(PING, socket=each)
        for _ in range(5):
            attacked.ask(methods.RELEASES)
    assert running_gateway(attacked.record.os_pid) == gateway


def test_connections_that_are_reset_while_their_requests_wait(attacked: AttackedNode) -> None:
    gateway = running_gateway(attacked.record.os_pid)
    for _ in range(3):
        with stolen(attacked.address("viewer")) as thief:
            for each in [thief.connect() for _ in range(40)]:
                for _ in range(50):
                    thief.send(PING, socket=each)
    attacked.ask(methods.PING)
    assert running_gateway(attacked.record.os_pid) == gateway


def test_a_hello_with_names_of_900_kilobytes(attacked: AttackedNode) -> None:
    before = len(b"".join(attacked.audit_lines()))
    with stolen(attacked.address("viewer")) as thief:
        hello = m.Hello(protocol=methods.PROTOCOL, client="c" * 450_000, user="\u202e" * 150_000)
        thief.request("hello", hello)
        thief.request("stop")
        thief.send(encoded_request("hello", pack(hello)))
    assert len(b"".join(attacked.audit_lines())) - before < 100_000
    assert "c" * 1000 not in attacked.log()


def test_a_thousand_requests_in_one_packet_that_ends_in_half_a_request(attacked: AttackedNode) -> None:
    """The connection ends in the middle of a message, after many whole ones."""
    gateway = running_gateway(attacked.record.os_pid)
    with stolen(attacked.address("viewer")) as thief:
        for _ in range(1000):
            thief.send(PING)
        thief.send(b"x" * (1 << 20))
    attacked.ask(methods.PING)
    assert running_gateway(attacked.record.os_pid) == gateway

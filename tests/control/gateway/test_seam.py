"""The seam: its framing, its versions, and a gateway process at its other end."""

from __future__ import annotations

import os
import select
import socket
import warnings
from collections.abc import Iterator

import msgspec
import pytest

from node_runtime.control.gateway.limits import GatewayLimits
from node_runtime.control.gateway.seam import (
    SEAM_VERSION,
    CannotListen,
    Configure,
    Deliver,
    FromGateway,
    FromNode,
    Listening,
    Ping,
    Pong,
    Seam,
    SeamError,
    StopGateway,
)
from node_runtime.control.gateway_process import GatewayProcess
from node_runtime.protocol.key_ring import KeyRing

WAIT = 20.0


@pytest.fixture
def ends() -> Iterator[tuple[Seam[FromGateway], socket.socket]]:
    """The node's end, and the socket of the other one."""
    here, there = socket.socketpair()
    seam: Seam[FromGateway] = Seam(here, FromGateway)
    seam.flush()
    with there:
        there.recv(1000)  # the hello
        yield seam, there
        seam.close()


def framed(value: object) -> bytes:
    body = msgspec.msgpack.encode(value)
    return len(body).to_bytes(4, "big") + body


def test_messages_arrive_complete_and_in_order_however_the_stream_is_cut() -> None:
    here, there = socket.socketpair()
    node: Seam[FromGateway] = Seam(here, FromGateway)
    gateway: Seam[FromNode] = Seam(there, FromNode)
    sent = [Deliver(b"\0abcd", bytes([number]) * size) for number, size in enumerate((0, 1, 3_000_000, 70_000, 5))]
    for message in sent:
        node.put(message)
    arrived: list[FromNode] = []
    while len(arrived) < len(sent):
        node.flush()
        arrived += gateway.take()
    assert arrived == sent
    assert (node.unsent, gateway.take()) == (0, [])
    node.close()
    with pytest.raises(SeamError, match="has closed the connection"):
        gateway.take()
    gateway.close()


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        (framed([0, 99]), f"protocol version 99, and this end {SEAM_VERSION}"),
        (framed([20, 7000]), "has to be a hello"),
        (framed([0, SEAM_VERSION]) * 2, "has to be a hello"),
        (framed([0, SEAM_VERSION]) + framed([3, b"id", b"body"]), "can.t be decoded"),
        (framed([0, SEAM_VERSION]) + framed([20, 7000, "more"]), "can.t be decoded"),
        (framed([0, SEAM_VERSION]) + framed({"port": 7000}), "can.t be decoded"),
        (b"\xff\xff\xff\xff", "limit"),
    ],
)
def test_what_is_no_message_of_this_version_is_refused(
    ends: tuple[Seam[FromGateway], socket.socket], sent: bytes, sentence: str
) -> None:
    seam, other = ends
    other.sendall(sent)
    with pytest.raises(SeamError, match=sentence):
        seam.take()


def first_message(seam: Seam[FromGateway]) -> FromGateway:
    while True:
        assert select.select([seam], [], [], WAIT)[0]
        for message in seam.take():
            return message


def test_a_gateway_says_its_version_and_ends_when_the_node_has_another_one() -> None:
    process = GatewayProcess()
    process.connection.sendall(framed([0, 99]))
    assert process.connection.recv(1000) == framed([0, SEAM_VERSION])
    process.connection.settimeout(WAIT)
    assert process.connection.recv(1000) == b""
    assert process.wait() == "with exit code 2"


def test_a_gateway_without_a_free_port_says_so_and_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = GatewayProcess()
        seam: Seam[FromGateway] = Seam(process.connection, FromGateway)
        seam.put(Configure("127.0.0.1", taken.getsockname()[1], b"." * 40, KeyRing(), GatewayLimits()))
        seam.flush()
        message = first_message(seam)
    assert isinstance(message, CannotListen)
    assert "choose another `listen` in node.toml" in message.sentence
    assert process.wait() == "with exit code 1"


def test_a_forked_child_of_the_node_does_not_keep_the_gateway_alive() -> None:
    process = GatewayProcess()
    seam: Seam[FromGateway] = Seam(process.connection, FromGateway)
    seam.put(Configure("127.0.0.1", 0, b"." * 40, KeyRing(), GatewayLimits()))
    seam.flush()
    assert isinstance(first_message(seam), Listening)
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    seam.close()
    assert process.wait() == "with exit code 0"
    os.close(writer)
    os.close(reader)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_gateway_answers_a_ping_and_ends_in_order_when_it_is_stopped() -> None:
    process = GatewayProcess()
    seam: Seam[FromGateway] = Seam(process.connection, FromGateway)
    seam.put(Configure("127.0.0.1", 0, b"." * 40, KeyRing(), GatewayLimits()))
    seam.flush()
    assert isinstance(first_message(seam), Listening)
    seam.put(Ping())
    seam.flush()
    assert first_message(seam) == Pong()
    seam.put(StopGateway())
    seam.flush()
    assert process.wait() == "with exit code 0"

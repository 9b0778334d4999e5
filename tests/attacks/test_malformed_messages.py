"""A thief of a viewer's cookie sends what no client would send: frames, sizes, ids and encodings."""

from __future__ import annotations

import pickle
import random

import msgspec
import pytest
import zmq

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.wire import MAX_REQUEST_BYTES, MalformedMessage, pack, unpack
from tests.support.attacks.attacked_node import AttackedNode, grown_by
from tests.support.attacks.thief import Thief, encoded_request, stolen

MIB = 1 << 20
GROWTH = 150 * MIB
"""The memory that a node, its parent and the process of its sockets may gain by one attack, together."""
PING = encoded_request("ping")
BODIES = {
    "nothing": b"",
    "bytes of ones": b"\xff" * 1000,
    "bytes that are never used": b"\xc1" * 1000,
    "array of 4 billion items": b"\xdd\xff\xff\xff\xff",
    "map of 4 billion items": b"\xdf\xff\xff\xff\xff",
    "text of 4 GiB": b"\xdb\xff\xff\xff\xff" + b"x" * 100,
    "bytes of 4 GiB": b"\xc6\xff\xff\xff\xff" + b"x" * 100,
    "100,000 nested arrays": b"\x91" * 100_000,
    "100,000 nested maps": b"\x81\xa1a" * 100_000,
    "extension type": b"\xc7\x04\x01evil",
    "timestamp": b"\xd6\xff\xff\xff\xff\xff",
    "text that is not UTF-8": b"\x83\xa2id\x01\xa6method\xa4\xff\xfe\xfd\xfc\xa6params\xc4\x00",
    "key twice": b"\x84\xa2id\x01\xa6method\xa4ping\xa6method\xa4stop\xa6params\xc4\x01\x80",
    "unknown key": b"\x84\xa2id\x01\xa6method\xa4ping\xa6params\xc4\x01\x80\xa4evil\x01",
    "id missing": b"\x82\xa6method\xa4ping\xa6params\xc4\x01\x80",
    "id as text": b"\x83\xa2id\xa11\xa6method\xa4ping\xa6params\xc4\x01\x80",
    "id as number with a fraction": msgspec.msgpack.encode({"id": 1.5, "method": "ping", "params": b"\x80"}),
    "id that is not a number": msgspec.msgpack.encode({"id": float("nan"), "method": "ping", "params": b"\x80"}),
    "method as number": msgspec.msgpack.encode({"id": 1, "method": 1, "params": b"\x80"}),
    "method as list": msgspec.msgpack.encode({"id": 1, "method": ["stop"], "params": b"\x80"}),
    "params as text": msgspec.msgpack.encode({"id": 1, "method": "ping", "params": "\x80"}),
    "array instead of a map": msgspec.msgpack.encode([1, "ping", b"\x80"]),
    "two requests": PING + encoded_request("stop"),
    "JSON": msgspec.json.encode({"id": 1, "method": "ping"}),
    "pickle": pickle.dumps(m.Request(id=1, method="stop", params=b"\x80")),
    "pickle that runs code": b"cos\nsystem\n(S'touch staged-code-was-executed'\ntR.",
    "HTTP": b"POST /stop HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("body", BODIES)
def test_a_message_that_is_no_request(attacked: AttackedNode, body: str) -> None:
    with stolen(attacked.address("viewer")) as thief:
        thief.send(BODIES[body])
        reply = thief.receive_reply(0, 1.0)
        assert reply is None or (reply.result is None and reply.failure is not None)
        attacked.ask(methods.PING)


@pytest.mark.parametrize("body", BODIES)
def test_parameters_that_are_none(attacked: AttackedNode, body: str) -> None:
    with stolen(attacked.address("viewer")) as thief:
        for method in ("hello", "state", "operations"):
            reply = thief.request(method, BODIES[body])
            assert reply is not None
            assert reply.failure is not None
            assert len(reply.failure.sentence) < 1000
            assert reply.failure.sentence.isprintable()


@pytest.mark.parametrize("number", [0, -1, 1, 2**31, 2**53, 2**63 - 1, -(2**63)])
def test_request_ids_out_of_all_bounds(attacked: AttackedNode, number: int) -> None:
    with stolen(attacked.address("viewer")) as thief:
        reply = thief.request("ping", number=number)
        assert reply is not None
        assert reply.failure is None


def test_the_same_request_id_for_many_requests(attacked: AttackedNode) -> None:
    """Each request gets at most one answer, under its own id."""
    with stolen(attacked.address("viewer")) as thief:
        for _ in range(20):
            thief.send(encoded_request("ping", number=5))
        answers = 0
        while (data := thief.receive(1.0)) is not None:
            assert unpack(data, m.Reply).id == 5
            answers += 1
        assert answers <= 20


def test_messages_of_2000_frames(attacked: AttackedNode) -> None:
    with stolen(attacked.address("viewer")) as thief:

        def attack() -> None:
            thief.socket.setsockopt(zmq.SNDTIMEO, 500)
            for _ in range(50):
                if not thief.send(*([b"x" * 500] * 2000)):
                    break  # the node has closed the connection
            attacked.ask(methods.PING)

        assert grown_by(attacked, attack) < GROWTH


@pytest.mark.parametrize(
    "frames",
    [[b"", PING], [PING, b""], [PING, PING], [b"operator", PING], [b"", b"", PING], [b""] * 10_000],
    ids=["empty first", "empty last", "twice", "id first", "two empty", "10,000 empty"],
)
def test_a_request_in_several_frames(attacked: AttackedNode, frames: list[bytes]) -> None:
    with stolen(attacked.address("viewer")) as thief:
        thief.send(*frames)
        thief.receive(0.5)
        attacked.ask(methods.PING)


@pytest.mark.parametrize("size", [MAX_REQUEST_BYTES + 1, 4 * MIB, 64 * MIB])
def test_a_frame_that_is_too_large(attacked: AttackedNode, size: int) -> None:
    with stolen(attacked.address("viewer")) as thief:

        def attack() -> None:
            for _ in range(3):
                thief.send(bytes(size), socket=thief.connect())
            attacked.ask(methods.PING)

        assert grown_by(attacked, attack) < GROWTH


def test_requests_of_the_largest_size(attacked: AttackedNode) -> None:
    """A user's name, a method or parameters of a megabyte are neither kept nor sent back."""
    with stolen(attacked.address("viewer")) as thief:
        room = MAX_REQUEST_BYTES - 4096

        def attack() -> None:
            for _ in range(20):
                hello = m.Hello(protocol=methods.PROTOCOL, client="x", user="u" * room)
                for request in (
                    encoded_request("hello", pack(hello)),
                    encoded_request("m" * room),
                    encoded_request("operation", pack(m.GetOperation(operation="o" * room))),
                ):
                    if not thief.send(request):
                        return
                    reply = thief.receive(1.0)
                    assert reply is None or len(reply) < 10_000
            attacked.ask(methods.PING)

        assert grown_by(attacked, attack) < GROWTH


def test_random_bytes_and_random_changes(attacked: AttackedNode) -> None:
    rng = random.Random(10)
    with stolen(attacked.address("viewer")) as thief:
        for _ in range(300):
            body = bytearray(encoded_request(rng.choice(["ping", "state", "hello", "stop"]), rng.randbytes(20)))
            for _ in range(rng.randrange(4)):
                body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
            if not thief.send(bytes(body)):
                break
        drain(thief)
        attacked.ask(methods.PING)


def drain(thief: Thief) -> None:
    """Read what the node answers; all of it can be decoded."""
    while (data := thief.receive(0.3)) is not None:
        try:
            unpack(data, m.Reply)
        except MalformedMessage as error:
            pytest.fail(f"an answer can't be decoded: {error}")

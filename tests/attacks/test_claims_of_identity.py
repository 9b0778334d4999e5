"""A thief of a viewer's cookie claims to be somebody else: routing ids, names, roles, keys, protocols and nodes."""

from __future__ import annotations

import contextlib
import os
import struct
from dataclasses import replace

import msgspec
import pytest
import zmq

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.cookie import Cookie, read_cookie
from node_runtime.protocol.run_directory import NodeAddress
from node_runtime.protocol.wire import pack
from tests.support.attacks.attacked_node import AttackedNode
from tests.support.attacks.thief import ANSWER_SECONDS, encoded_request, is_not_allowed, stolen
from tests.support.waiting import until

FIRST_ROUTING_ID = 0xE43C9869
"""The first id that libzmq assigns in a process whose `rand` was not seeded; it counts up from there."""
CLAIMS = 60


def test_the_routing_ids_that_libzmq_assigns_next(attacked: AttackedNode) -> None:
    """libzmq ends its process if an id that it wants to assign was claimed by a client."""
    with stolen(attacked.address("viewer")) as thief:
        for number in range(CLAIMS):
            claimed = b"\0" + struct.pack(">I", (FIRST_ROUTING_ID + number) & 0xFFFFFFFF)
            thief.send(encoded_request("ping"), socket=thief.connect(routing_id=claimed))
        thief.receive(1.0)
        for _ in range(CLAIMS):
            thief.send(encoded_request("ping"), socket=thief.connect())
        thief.receive(1.0)
        attacked.ask(methods.PING)


def test_the_routing_id_of_an_operator(attacked: AttackedNode) -> None:
    """Answers for a client never go to another one that claims its id."""
    with (
        stolen(attacked.address("operator"), routing_id=b"operator-1") as operator,
        stolen(attacked.address("viewer"), routing_id=b"operator-1") as thief,
    ):
        for _ in range(5):
            if not operator.send(encoded_request("releases", number=77)):
                break  # the node has closed the connection, because it accepts no chosen ids
            if not thief.send(encoded_request("ping", number=78)):
                break
            while (data := thief.receive(0.2)) is not None:
                assert msgspec.msgpack.decode(data)["id"] != 77
        reply = thief.request("stop")
        assert reply is None or is_not_allowed(reply)


def test_many_long_and_odd_routing_ids(attacked: AttackedNode) -> None:
    with stolen(attacked.address("viewer")) as thief:
        for claimed in (
            b"\1",
            b"a",
            b"a" * 255,
            b"\xff" * 5,
            b"\1\0\0\0\0",
            b"operator",
            b"\n\x1b[2J",
            os.urandom(200),
        ):
            thief.send(encoded_request("ping"), socket=thief.connect(routing_id=claimed))
        attacked.ask(methods.PING)


@pytest.mark.parametrize(
    "kind", ["REQ", "REP", "PUSH", "PULL", "PUB", "SUB", "XPUB", "XSUB", "PAIR", "ROUTER", "STREAM"]
)
def test_another_type_of_socket(attacked: AttackedNode, kind: str) -> None:
    with stolen(attacked.address("viewer")) as thief, contextlib.suppress(zmq.ZMQError):
        socket = thief.connect(getattr(zmq, kind))
        socket.setsockopt(zmq.SNDTIMEO, 200)
        socket.setsockopt(zmq.RCVTIMEO, 200)
        for frames in ([b"\x01"], [b"", encoded_request("stop")], [b"operator", encoded_request("stop")]):
            with contextlib.suppress(zmq.ZMQError):
                socket.send_multipart(frames)
        with contextlib.suppress(zmq.ZMQError):
            socket.recv_multipart()
    attacked.ask(methods.PING)


def test_a_role_in_hello(attacked: AttackedNode) -> None:
    """A role is a property of a key; there is no field for it."""
    hello = {"protocol": methods.PROTOCOL, "client": "hotdash", "user": "ana", "role": "operator"}
    with stolen(attacked.address("viewer")) as thief:
        reply = thief.request("hello", msgspec.msgpack.encode(hello))
        assert reply is not None
        assert reply.failure is not None
        for user in ("operator", "ana", "root", "", "viewer\noperator"):
            reply = thief.request("hello", m.Hello(protocol=methods.PROTOCOL, client="operator", user=user))
            assert reply is not None
            assert reply.result is not None
            assert msgspec.msgpack.decode(reply.result)["role"] == "viewer"
        assert is_not_allowed(thief.request("commit", m.Commit()))


@pytest.mark.parametrize("protocol", [0, 1, -1, 3, 99, 2**31, 2**63 - 1, -(2**63)])
def test_another_protocol(attacked: AttackedNode, protocol: int) -> None:
    """A node speaks one protocol; an older one with fewer checks can't be asked for."""
    with stolen(attacked.address("viewer")) as thief:
        reply = thief.request("hello", m.Hello(protocol=protocol, client="old", user="ana"))
        assert reply is not None
        assert (reply.failure is None) == (protocol == methods.PROTOCOL)
        assert is_not_allowed(thief.request("stop", m.StopNode()))


def test_the_name_of_an_operator_in_the_audit_log(attacked: AttackedNode) -> None:
    """What a client says of itself is never recorded as who it is."""
    with stolen(attacked.address("viewer")) as thief:
        thief.request("hello", m.Hello(protocol=methods.PROTOCOL, client="hotdash", user="mallory-as-ana"))
        for order in ("stop", "install", "commit"):
            thief.request(order, m.Commit(reason="mallory"))
    attacked.ask(methods.PING)
    entries = attacked.ask(methods.AUDIT, m.ListLimit(limit=1000)).entries
    assert [entry for entry in entries if entry.who == "mallory-as-ana"] == []
    assert [entry for entry in entries if entry.role == "viewer" and entry.phase == "intent"] == []


def test_the_name_of_another_operator(attacked: AttackedNode) -> None:
    """An operator's own name is that of the key, too: another one can be claimed beside it, never instead of it."""
    with stolen(attacked.address("operator")) as operator:
        operator.request("hello", m.Hello(protocol=methods.PROTOCOL, client="hotdash", user="somebody-else"))
        reply = operator.request("remove", m.ReleaseVsn(vsn="7.7"))
        assert reply is not None
        assert reply.failure is not None
    entries = [entry for entry in attacked.ask(methods.AUDIT, m.ListLimit()).entries if "7.7" in entry.subject]
    assert entries
    assert {entry.who for entry in entries} == {"operator"}


def test_a_cookie_of_another_node(attacked: AttackedNode) -> None:
    foreign = Cookie("operator", zmq.curve_keypair()[1], attacked.address().cookie.server)
    with stolen(replace(attacked.address(), cookie=foreign)) as thief:
        thief.send(encoded_request("ping"))
        assert thief.receive(1.0) is None


def test_a_wrong_key_of_the_node(attacked: AttackedNode) -> None:
    """A client whose cookie is of another node does not talk to this one, and the node does not answer it."""
    mistaken = replace(attacked.address().cookie, server=zmq.curve_keypair()[0])
    with stolen(replace(attacked.address(), cookie=mistaken)) as thief:
        thief.send(encoded_request("ping"))
        assert thief.receive(1.0) is None


def test_the_viewers_secret_under_the_operators_role(attacked: AttackedNode) -> None:
    viewer = attacked.address("viewer").cookie
    with stolen(replace(attacked.address(), cookie=Cookie("operator", viewer.secret, viewer.server))) as thief:
        assert is_not_allowed(thief.request("stop", m.StopNode()))


def test_no_keys_at_all(attacked: AttackedNode) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        for mechanism in ("NULL", "PLAIN"):
            socket = context.socket(zmq.DEALER)
            socket.linger = 0
            socket.setsockopt(zmq.SNDTIMEO, 1000)
            if mechanism == "PLAIN":
                socket.plain_username, socket.plain_password = b"operator", b"operator"
            socket.connect(f"tcp://127.0.0.1:{attacked.record.port}")
            with contextlib.suppress(zmq.Again):
                socket.send(encoded_request("ping"))
            assert not socket.poll(1000)
            socket.close(linger=0)
    finally:
        context.destroy(linger=0)


def test_a_reply_or_an_event_to_other_clients(attacked: AttackedNode) -> None:
    """What a client sends is a request; it reaches no other client."""
    forged = m.Reply(id=1, failure=m.ErrorReply(code=0, sentence="forged"))
    with stolen(attacked.address("operator")) as operator, stolen(attacked.address("viewer")) as thief:
        assert operator.is_connected()
        operator.request("subscribe")
        for frames in ([pack(forged)], [b"operator", pack(forged)], [b"", pack(forged)]):
            thief.send(*frames)
        attacked.ask(methods.PING)
        while (data := operator.receive(0.5)) is not None:
            assert b"forged" not in data


@pytest.mark.parametrize("end", ["revoked", "rotated"])
def test_an_old_cookie(attacked: AttackedNode, end: str) -> None:
    """A cookie that was revoked or replaced ends the connections that were made with it, without a restart."""
    name = f"eve-{end}"
    made = attacked.tiny.tiny("cookie", "--for", name, "--role", "viewer").stdout
    file = attacked.tiny.folder / f"cookie-{end}"
    file.write_text(made)
    file.chmod(0o600)
    address = replace(attacked.address(), cookie=read_cookie(file))
    until(lambda: is_accepted(address), "the new key's acceptance", within=ANSWER_SECONDS * 6)
    with stolen(address) as thief:
        assert thief.is_connected()
        if end == "revoked":
            attacked.tiny.tiny("cookie", "--revoke", name)
        else:
            attacked.tiny.tiny("cookie", "--rotate", "--for", name, "--grace", "0")
        until(lambda: not thief.is_connected(), "the end of the old connection", within=ANSWER_SECONDS * 4)
    assert not is_accepted(address)


def is_accepted(address: NodeAddress) -> bool:
    """Returns whether a new connection with this cookie gets an answer."""
    with stolen(address) as thief:
        return thief.is_connected()

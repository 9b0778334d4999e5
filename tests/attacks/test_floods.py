"""A thief of a viewer's cookie fills memory, descriptors and queues, and keeps the operator waiting."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import zmq

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.cookie import cookie_path
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.wire import pack
from tests.support.attacks.attacked_node import AttackedNode, grown_by
from tests.support.attacks.thief import Thief, encoded_request, stolen
from tests.support.sources import ROOT

MIB = 1 << 20
GROWTH = 150 * MIB
"""The memory that a node, its parent and the process of its sockets may gain by one attack, together."""
SUBSCRIPTIONS = 10
"""Each of them costs a socket that keeps it many times its size, byte by byte in a tree."""
FLOOD = 3000
"""Requests of one flood."""


def flood(thief: Thief, make: Callable[[int], bytes], number: int = FLOOD) -> int:
    """Send requests without reading the answers; returns how many the connection has taken."""
    thief.socket.setsockopt(zmq.SNDTIMEO, 200)
    for sent in range(number):
        if not thief.send(make(sent)):
            return sent
    return number


def owner_is_served(node: AttackedNode) -> None:
    """The owner's requests are answered, also the one that every operator needs in an emergency."""
    node.ask(methods.PING)
    assert len(node.ask(methods.RELEASES).releases) == 2
    with pytest.raises(Refused, match="permanent"):
        node.ask(methods.ROLLBACK, m.Rollback())


def test_subscriptions_of_900_kilobytes(attacked: AttackedNode) -> None:
    port, cookie = attacked.record.events_port, cookie_path(attacked.directory, "viewer")
    line = [sys.executable, "-m", "tests.support.attacks.subscriber", str(port), str(cookie), str(SUBSCRIPTIONS)]
    before = attacked.memory()
    thief = subprocess.Popen(line, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert thief.stdout is not None
        thief.stdout.readline()
        owner_is_served(attacked)
        assert attacked.memory() - before < GROWTH
    finally:
        thief.kill()
        thief.communicate()


def test_a_thousand_subscriptions_to_events(attacked: AttackedNode) -> None:
    with stolen(attacked.address("viewer")) as thief:

        def attack() -> None:
            flood(thief, lambda number: encoded_request("subscribe", number=number), 1000)
            owner_is_served(attacked)

        assert grown_by(attacked, attack) < GROWTH


def test_answers_that_nobody_reads(attacked: AttackedNode) -> None:
    with stolen(attacked.address("viewer"), options={zmq.RCVHWM: 1, zmq.RCVBUF: 4096}) as thief:

        def attack() -> None:
            flood(thief, lambda number: encoded_request("snapshot", number=number))
            owner_is_served(attacked)

        assert grown_by(attacked, attack) < GROWTH


def test_answers_that_are_read_one_by_one(attacked: AttackedNode) -> None:
    with stolen(attacked.address("viewer"), options={zmq.RCVHWM: 1, zmq.RCVBUF: 4096}) as thief:

        def attack() -> None:
            for _ in range(20):
                flood(thief, lambda number: encoded_request("events", pack(m.ListLimit(limit=500)), number), 50)
                thief.receive(0.05)
            owner_is_served(attacked)

        assert grown_by(attacked, attack) < GROWTH


def test_a_flood_of_snapshots(attacked: AttackedNode) -> None:
    with stolen(attacked.address("viewer")) as thief:
        flood(thief, lambda number: encoded_request("snapshot", number=number))
        owner_is_served(attacked)


def test_a_flood_of_states_and_lists(attacked: AttackedNode) -> None:
    requests = [
        encoded_request("state", pack(m.GetState(pid=1))),
        encoded_request("operations", pack(m.ListLimit(limit=2**31))),
        encoded_request("audit", pack(m.ListLimit(limit=2**31))),
        encoded_request("releases"),
    ]
    with stolen(attacked.address("viewer")) as thief:
        flood(thief, lambda number: requests[number % len(requests)])
        owner_is_served(attacked)


def test_a_flood_of_plans(attacked: AttackedNode) -> None:
    with stolen(attacked.address("viewer")) as thief:
        flood(thief, lambda number: encoded_request("plan", pack(m.MakePlan(vsn="2.0")), number), 500)
        owner_is_served(attacked)


def test_a_flood_of_forbidden_requests(attacked: AttackedNode) -> None:
    """It is neither a flood of the audit log nor of the log, and displaces no event that matters."""
    before = len(attacked.log()), len(b"".join(attacked.audit_lines()))
    with stolen(attacked.address("viewer")) as thief:
        flood(thief, lambda number: encoded_request("stop", pack(m.StopNode(reason="x" * 1000)), number))
        owner_is_served(attacked)
    after = len(attacked.log()), len(b"".join(attacked.audit_lines()))
    assert after[0] - before[0] < 50_000
    assert after[1] - before[1] < 50_000


def test_a_flood_does_not_displace_kept_events(attacked: AttackedNode) -> None:
    """Events about releases stay, whatever a viewer does."""
    kept = [
        event.text for event in attacked.ask(methods.EVENTS, m.ListLimit(limit=500)).events if event.kind == "release"
    ]
    with stolen(attacked.address("viewer")) as thief:
        for number in range(600):
            hello = m.Hello(protocol=99, client=f"client-{number}", user=f"user-{number}")
            if not thief.send(encoded_request("hello", pack(hello), number)):
                break
            thief.send(b"\xff")
        owner_is_served(attacked)
    now = [
        event.text for event in attacked.ask(methods.EVENTS, m.ListLimit(limit=500)).events if event.kind == "release"
    ]
    assert now[: len(kept)] == kept


def test_300_connections_with_the_same_cookie(attacked: AttackedNode) -> None:
    with stolen(attacked.address("viewer")) as thief:

        def attack() -> None:
            for _ in range(300):
                thief.send(encoded_request("ping"), socket=thief.connect())
            owner_is_served(attacked)

        assert grown_by(attacked, attack) < GROWTH


def test_connections_that_come_and_go(attacked: AttackedNode) -> None:
    descriptors = sum(process.num_fds() for process in attacked.processes)
    with stolen(attacked.address("viewer")) as thief:
        for _ in range(200):
            connection = thief.connect()
            thief.send(encoded_request("snapshot"), socket=connection)
            connection.close()
        owner_is_served(attacked)
    assert sum(process.num_fds() for process in attacked.processes) < descriptors + 200


def test_silent_connections_beside_an_owner(attacked: AttackedNode) -> None:
    with silent_connections(attacked.record.port, 400):
        for _ in range(3):
            owner_is_served(attacked)


def test_the_page_is_served_under_a_flood(attacked: AttackedNode) -> None:
    """Processes of the application answer each other while a viewer floods the node."""
    before = attacked.ask(methods.SNAPSHOT).vitals
    with stolen(attacked.address("viewer")) as thief:
        for _ in range(5):
            flood(thief, lambda number: encoded_request("snapshot", number=number), 500)
            attacked.ask(methods.PING)
    after = attacked.ask(methods.SNAPSHOT).vitals
    assert after.restarts == before.restarts
    assert after.processes == before.processes


@contextlib.contextmanager
def silent_connections(port: int, number: int) -> Iterator[None]:
    """TCP connections that send nothing."""
    with contextlib.ExitStack() as stack:
        for _ in range(number):
            with contextlib.suppress(OSError):
                stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
        yield

"""One connection of a gateway: it never touches another connection that got the same descriptor."""

from __future__ import annotations

import os
import socket
import time

from node_runtime.control.gateway.connection import OpenConnection
from node_runtime.control.gateway.limits import VIEWER_LIMITS


def test_a_shut_down_ends_the_connection() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        OpenConnection(ours.fileno(), time.monotonic(), VIEWER_LIMITS).shut_down()
        assert theirs.recv(1) == b""


def test_a_descriptor_that_another_connection_has_got_is_left_alone() -> None:
    first, first_peer = socket.socketpair()
    descriptor = os.dup(first.fileno())
    connection = OpenConnection(descriptor, time.monotonic(), VIEWER_LIMITS)
    first.close()
    second, second_peer = socket.socketpair()
    os.dup2(second.fileno(), descriptor)
    with first_peer, second, second_peer:
        connection.shut_down()
        assert connection.spend_received_bytes(time.monotonic())
        second_peer.send(b"x")
        assert second.recv(1) == b"x"
    os.close(descriptor)

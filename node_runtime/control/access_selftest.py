"""A self-test at each start: the node connects to its own ports with a random key, which must be refused.

A mistake in the setup of the keys would silently admit every client. A test at run time detects such a mistake more
reliably than a code review.
"""

from __future__ import annotations

import time
from typing import Final

import zmq
from zmq.utils.monitor import recv_monitor_message

from node_runtime.protocol.exit_codes import Refused

HANDSHAKE_SECONDS: Final = 5.0
"""Seconds within which the node has to refuse the key."""
_REFUSED: Final = (
    zmq.Event.HANDSHAKE_FAILED_NO_DETAIL,
    zmq.Event.HANDSHAKE_FAILED_PROTOCOL,
    zmq.Event.HANDSHAKE_FAILED_AUTH,
)


def require_refusal(server_key: bytes, host: str, port: int) -> None:
    """Raise Refused unless the node at `host`:`port` refuses a random key."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        stranger = context.socket(zmq.DEALER)
        stranger.curve_publickey, stranger.curve_secretkey = zmq.curve_keypair()
        stranger.curve_serverkey = server_key
        stranger.setsockopt(zmq.RECONNECT_IVL, -1)
        monitor = stranger.get_monitor_socket()
        stranger.connect(f"tcp://{host}:{port}")
        if not _was_refused(monitor):
            raise Refused(
                f"The control port {host}:{port} did not refuse an unknown key within {HANDSHAKE_SECONDS:g} s, so the "
                f"node does not start; start it again, and report a bug if that happens twice."
            )
    finally:
        context.destroy(linger=0)


def _was_refused(monitor: zmq.Socket[bytes]) -> bool:
    deadline = time.monotonic() + HANDSHAKE_SECONDS
    while (left := deadline - time.monotonic()) > 0 and monitor.poll(int(left * 1000)):
        event = recv_monitor_message(monitor)["event"]
        if event in _REFUSED:
            return True
        if event == zmq.Event.HANDSHAKE_SUCCEEDED:
            return False
    return False

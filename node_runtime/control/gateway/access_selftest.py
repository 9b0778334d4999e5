"""A self-test at each start: the gateway connects to its own port with a random key, which must be refused.

A mistake in the setup of the keys would silently admit every client. A test at run time detects such a mistake more
reliably than a code review.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import zmq

HANDSHAKE_SECONDS: Final = 5.0
"""Seconds within which the gateway has to refuse the key."""
_REFUSED: Final = (
    zmq.Event.HANDSHAKE_FAILED_NO_DETAIL,
    zmq.Event.HANDSHAKE_FAILED_PROTOCOL,
    zmq.Event.HANDSHAKE_FAILED_AUTH,
)
_WAIT_MS: Final = 10


def refuses_strangers(server_key: bytes, host: str, port: int, meanwhile: Callable[[], None] = lambda: None) -> bool:
    """Return whether the endpoint refuses a random key.

    `server_key` is the public key of the endpoint. `meanwhile()` is called again and again during the test; if this
    thread serves the endpoint, it has to answer libzmq's requests about keys.
    """
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        stranger = context.socket(zmq.DEALER)
        stranger.curve_publickey, stranger.curve_secretkey = zmq.curve_keypair()
        stranger.curve_serverkey = server_key
        stranger.setsockopt(zmq.RECONNECT_IVL, -1)
        monitor = stranger.get_monitor_socket()
        stranger.connect(f"tcp://{host}:{port}")
        return _was_refused(monitor, meanwhile)
    finally:
        context.destroy(linger=0)


def _was_refused(monitor: zmq.Socket[bytes], meanwhile: Callable[[], None]) -> bool:
    deadline = time.monotonic() + HANDSHAKE_SECONDS
    while time.monotonic() < deadline:
        meanwhile()
        if not monitor.poll(_WAIT_MS):
            continue
        event = int.from_bytes(monitor.recv_multipart()[0][:2], "little")
        if event in _REFUSED:
            return True
        if event == zmq.Event.HANDSHAKE_SUCCEEDED:
            return False
    return False

"""Authentication of client keys: the ZAP handler (RFC 27) that libzmq asks about each connection.

A connection is accepted only with a known CURVE key in the right domain. Any other connection is refused with status
400, and with 500 if the handler itself fails. The handler returns the key as the User-Id, and the number of the
handshake. libzmq attaches the key and the number to every message of the connection. Therefore a client is identified
by its key, never by what it claims. The number tells apart the messages of two connections that have had the same
descriptor.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

import zmq
from zmq.utils import z85

from node_runtime.protocol.key_ring import KeyRing

from .sockets import has_message

ZAP_ENDPOINT: Final = "inproc://zeromq.zap.01"
ZAP_DOMAIN: Final = b"hotdash"
HANDSHAKE: Final = "X-Handshake"
"""The property of a message that has the number of its connection's handshake."""

logger: Final = logging.getLogger("node_runtime.control.gateway")


class ZapHandler:
    """Answers libzmq's requests on `socket`. `ring` has the keys that are accepted, and may be replaced.

    Each ZeroMQ context has one handler. Only one thread may use it. `on_refused(address, key)` is called for each
    connection whose key is not valid.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        ring: KeyRing,
        on_refused: Callable[[str, bytes], None],
    ) -> None:
        self.ring = ring
        self._on_refused = on_refused
        self.handshakes = 0
        """The number of connections that were accepted. Their handshakes are numbered from 1."""
        self.socket: zmq.Socket[bytes] = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind(ZAP_ENDPOINT)

    def answer_all(self, before_each: Callable[[], None]) -> None:
        """Receive and answer all requests that have arrived. `before_each` is called before each answer."""
        while has_message(self.socket):
            request = self.socket.recv_multipart()
            before_each()
            self._answer(request)

    def _answer(self, request: list[bytes]) -> None:
        try:
            key = self._known_key(request)
            status = (b"200", b"OK", key) if key else (b"400", b"unknown key", b"")
        except Exception:
            logger.exception("the check of a client's key failed, so the connection was refused")
            status = (b"500", b"error", b"")
        properties = b""
        if status[2]:
            self.handshakes += 1
            properties = _property(HANDSHAKE, str(self.handshakes))
        request_id = request[1] if len(request) > 1 else b""
        self.socket.send_multipart([b"1.0", request_id, *status, properties])

    def _known_key(self, request: list[bytes]) -> bytes | None:
        version, _, domain, address, _, mechanism, *credentials = request
        if version != b"1.0" or domain != ZAP_DOMAIN or mechanism != b"CURVE" or len(credentials) != 1:
            return None
        if len(credentials[0]) != 32:
            return None
        key = z85.encode(credentials[0])
        if self.ring.holder(key, time.time()) is not None:
            return key
        self._on_refused(address.decode("ascii", "replace"), key)
        return None


def _property(name: str, value: str) -> bytes:
    """Return a property in the form of ZMTP's metadata: name and value, each after its length."""
    return bytes([len(name)]) + name.encode() + len(value).to_bytes(4, "big") + value.encode()

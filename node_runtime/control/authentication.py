"""Authentication of client keys: the ZAP handler (RFC 27) that libzmq asks about each connection.

It fails closed: everything but a known CURVE key in the right domain gets 400, and an error in the handler 500. The
role is returned as the User-Id, which libzmq attaches to every message of that connection; claims of the client are
ignored.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

import zmq
from zmq.utils import z85

from node_runtime.protocol.messages import Role

ZAP_ENDPOINT: Final = "inproc://zeromq.zap.01"
ZAP_DOMAIN: Final = b"hotdash"

logger: Final = logging.getLogger("node_runtime.control")


class ZapHandler:
    """Answers on `socket` from the table `roles` of public keys (Z85). One per context; owned by one thread."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], roles: Mapping[bytes, Role]) -> None:
        self._roles = roles
        self.socket: zmq.Socket[bytes] = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind(ZAP_ENDPOINT)

    def answer(self) -> None:
        """Receive one request and answer it."""
        request = self.socket.recv_multipart()
        try:
            role = self._role(request)
            status = (b"200", b"OK", role.encode()) if role else (b"400", b"unknown key", b"")
        except Exception:
            logger.exception("a connection could not be authenticated, so it was refused")
            status = (b"500", b"error", b"")
        request_id = request[1] if len(request) > 1 else b""
        self.socket.send_multipart([b"1.0", request_id, *status, b""])

    def _role(self, request: list[bytes]) -> Role | None:
        version, _, domain, _, _, mechanism, *credentials = request
        if version != b"1.0" or domain != ZAP_DOMAIN or mechanism != b"CURVE" or len(credentials) != 1:
            return None
        if len(credentials[0]) != 32:
            return None
        return self._roles.get(z85.encode(credentials[0]))

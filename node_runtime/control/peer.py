"""The authenticated client of a connection."""

from __future__ import annotations

import msgspec

from node_runtime.protocol.messages import Role


class Peer(msgspec.Struct, frozen=True):
    """A connection and the holder of its key. `address` is an IP address."""

    routing_id: bytes
    key: bytes
    name: str
    role: Role
    address: str

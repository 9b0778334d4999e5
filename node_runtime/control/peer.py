"""The authenticated client of a connection."""

from __future__ import annotations

from dataclasses import dataclass

from node_runtime.protocol.messages import Role


@dataclass(frozen=True, slots=True)
class Peer:
    """A connection and the holder of its key. `address` is an IP address."""

    routing_id: bytes
    key: bytes
    name: str
    role: Role
    address: str

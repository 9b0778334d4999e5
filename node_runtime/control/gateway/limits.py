"""The limits of a gateway: of its OS process, of all connections together, and of one connection in each role.

The node sends the limits to a gateway that it starts. A program that uses a node as intended never reaches these
limits. They are for stolen keys, broken clients and attackers.
"""

from __future__ import annotations

import msgspec

from node_runtime.protocol.messages.struct import Role

from .token_bucket import Refill

_MIB = 1 << 20


class RoleLimits(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The limits of one role: how many connections it may have, and how much one connection may send.

    In one burst, a connection may send as much as its rates allow in `burst_seconds` seconds. A connection that sends
    more is closed.
    """

    max_connections: int
    max_bytes_per_second: int
    max_messages_per_second: int
    burst_seconds: float = 2.0

    @property
    def bytes_refill(self) -> Refill:
        """The rate and the size of the bucket from which a connection pays for the bytes that it sends."""
        return Refill(self.max_bytes_per_second, self.max_bytes_per_second * self.burst_seconds)

    @property
    def messages_refill(self) -> Refill:
        """The rate and the size of the bucket from which a connection pays for its messages."""
        return Refill(self.max_messages_per_second, self.max_messages_per_second * self.burst_seconds)


VIEWER_LIMITS = RoleLimits(max_connections=128, max_bytes_per_second=_MIB, max_messages_per_second=1000)
"""A viewer sends small requests. The burst, 2 MiB, has room for the largest request that the protocol allows."""

OPERATOR_LIMITS = RoleLimits(max_connections=128, max_bytes_per_second=512 * _MIB, max_messages_per_second=20_000)
"""An operator uploads releases as fast as the network can; an operator's key can stop the node anyway."""


class GatewayLimits(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The limits of one gateway. The limit of its memory is in bytes of address space.

    A connection is *silent* until its first request arrives, complete and from a known key: `max_silent_seconds` has to
    exceed the time limit of a handshake. `max_viewer_messages_per_second` is for all viewers together, and is a little
    more than the node's budget for viewers. The node would only refuse further messages, and each message would take
    the interpreter's lock. The *unread* bytes and messages of a client are the answers and events that wait in the
    gateway because the client does not read. Beyond `max_unread_bytes`, one answer of any size is allowed, because a
    snapshot may be larger than the limit. The node ends a gateway that does not answer it for `max_answer_seconds`.
    """

    max_memory: int = 1024 * _MIB
    max_descriptors: int = 4096
    max_silent_connections: int = 256
    max_silent_seconds: float = 5.0
    viewer: RoleLimits = VIEWER_LIMITS
    operator: RoleLimits = OPERATOR_LIMITS
    max_viewer_messages_per_second: int = 500
    max_unread_bytes: int = 4 * _MIB
    max_unread_messages: int = 1000
    max_unread_bytes_of_all: int = 256 * _MIB
    max_answer_seconds: float = 20.0

    @property
    def viewers_refill(self) -> Refill:
        """The rate and the size of the bucket from which all viewers together pay for their messages."""
        return Refill(
            self.max_viewer_messages_per_second, self.max_viewer_messages_per_second * self.viewer.burst_seconds
        )

    def of(self, role: Role) -> RoleLimits:
        """Return the limits of `role`."""
        return self.operator if role == "operator" else self.viewer

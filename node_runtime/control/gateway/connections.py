"""The open connections of a gateway: the client of each, and which connections have to be closed.

libzmq reports through its monitor when it accepts a connection and when a connection ends, and attaches the
connection's descriptor to each message. Late messages of a connection that has ended may have the descriptor of another
connection, but the number of their handshake is lower. libzmq can't close a single connection of a ROUTER socket, so
the gateway shuts the descriptor down. Nor can libzmq stop accepting connections without closing all of them. So when
too many connections are silent, the gateway closes the oldest silent connection. Therefore a client with a valid key
can connect even during a flood of connections.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterable
from typing import Final

import zmq

from node_runtime.protocol.messages.struct import Role

from .authentication import HANDSHAKE, ZapHandler
from .connection import OpenConnection
from .limits import GatewayLimits
from .reports import Reports
from .seam import RoutingId
from .sockets import has_message
from .token_bucket import TokenBucket

MONITOR_ENDPOINT: Final = "inproc://gateway.monitor"
_EVENT: Final = struct.Struct("=HI")


class Connections:
    """The connections of `router`. `on_gone(routing_id)` is called when a connection ends, unless it was silent."""

    def __init__(
        self,
        router: zmq.Socket[bytes],
        zap: ZapHandler,
        limits: GatewayLimits,
        reports: Reports,
        on_gone: Callable[[RoutingId], None],
    ) -> None:
        self._zap = zap
        self._limits = limits
        self._reports = reports
        self._on_gone = on_gone
        self._open: dict[int, OpenConnection] = {}
        self._silent: dict[int, OpenConnection] = {}
        self._clients: dict[RoutingId, OpenConnection] = {}
        self._of_viewers = TokenBucket(limits.viewers_refill)
        self._last_id_before = 0
        self._accepted = 0
        router.monitor(MONITOR_ENDPOINT, zmq.Event.ACCEPTED | zmq.Event.DISCONNECTED | zmq.Event.ACCEPT_FAILED)
        self.monitor: zmq.Socket[bytes] = router.context.socket(zmq.PAIR)
        self.monitor.linger = 0
        self.monitor.connect(MONITOR_ENDPOINT)

    def __bool__(self) -> bool:
        return bool(self._open)

    def client(self, routing_id: RoutingId) -> OpenConnection | None:
        """Return the connection of a client; None if it has sent no request, or is no longer connected."""
        return self._clients.get(routing_id)

    def clients(self) -> Iterable[OpenConnection]:
        """Return the connections of all clients."""
        return self._clients.values()

    def follow(self) -> None:
        """Handle libzmq's events about connections that were accepted or have ended."""
        while has_message(self.monitor):
            event, descriptor = _EVENT.unpack(self.monitor.recv_multipart()[0])
            if event == zmq.Event.ACCEPTED:
                self._accept(descriptor)
            elif event == zmq.Event.DISCONNECTED:
                self._forget(descriptor)
            else:
                self._reports.limit_reached("the machine had no descriptors left")
        # Only after all events were handled, because the events show which descriptors now belong to other connections.
        while len(self._silent) > self._limits.max_silent_connections:
            self.close(next(iter(self._silent.values())), "too many had sent no request yet")

    def _accept(self, descriptor: int) -> None:
        self._forget(descriptor)
        self._accepted += 1
        self._open[descriptor] = self._silent[descriptor] = OpenConnection(
            descriptor, time.monotonic(), self._limits.viewer, self._zap.handshakes
        )

    def _forget(self, descriptor: int) -> None:
        connection = self._open.pop(descriptor, None)
        self._silent.pop(descriptor, None)
        if connection is not None and not connection.silent:
            del self._clients[connection.routing_id]
            self._on_gone(connection.routing_id)

    # ------------------------------------------------------------------ clients

    def expect_ids_after(self, routing_id: RoutingId) -> None:
        """Accept only ids that libzmq assigns after `routing_id`. For each connection, libzmq increments the id.

        libzmq also lets a client choose its id. The client could choose the id of an earlier client and get an answer
        that is meant for the earlier client. The client could also choose the id that libzmq will assign next; libzmq
        then aborts the process.
        """
        self._last_id_before = int.from_bytes(routing_id[1:], "big")

    def _is_assigned(self, routing_id: RoutingId) -> bool:
        number = int.from_bytes(routing_id[1:], "big")
        return len(routing_id) == 5 and routing_id[0] == 0 and (number - self._last_id_before) % 2**32 <= self._accepted

    def introduce(
        self, routing_id: RoutingId, request: zmq.Frame, role_of: Callable[[bytes], Role]
    ) -> OpenConnection | None:
        """Return the connection of the client that has sent its first request; None if the connection was closed."""
        self.follow()
        connection = self._open.get(int(request.get("__fd")))
        if connection is None or connection.closing:
            return None  # the connection has ended in the meantime
        if int(str(request.get(HANDSHAKE))) <= connection.handshakes_before:
            return None  # the connection has ended, and another connection has got its descriptor
        key = str(request.get("User-Id")).encode()
        role = role_of(key)
        if not self._is_assigned(routing_id):
            self.close(connection, "they had chosen their ids themselves")
        elif self._number_of(role) >= self._limits.of(role).max_connections:
            self.close(connection, f"there were too many other {role}s")
        elif role == "viewer" and self._of_viewers.wait(1, time.monotonic()) > 0:
            self.close(connection, "they were viewers, and all viewers together sent too many messages")
        else:
            address = str(request.get("Peer-Address"))
            connection.introduce(routing_id, key, role, address, self._limits.of(role))
            self._silent.pop(connection.descriptor, None)
            self._clients[routing_id] = connection
            return connection
        return None

    def _number_of(self, role: Role) -> int:
        return sum(connection.role == role for connection in self._clients.values())

    def admits(self, connection: OpenConnection) -> bool:
        """Return whether one more message of the client may be passed on; if not, its connection is closed."""
        now = time.monotonic()
        if connection.closing:
            return False
        if not connection.spend_message(now):
            self.close(connection, "they sent too many messages")
        elif connection.role == "viewer" and not self._of_viewers.spend(1, now):
            fair = self._limits.max_viewer_messages_per_second // self._number_of("viewer")
            if connection.messages_in_second > fair:
                self.close(connection, "all viewers together sent too many messages, and these sent the most")
        return not connection.closing

    # ------------------------------------------------------------------ closing

    def close(self, connection: OpenConnection, because: str) -> None:
        """Close a connection; `because` is the clause for the report, one of a few fixed texts."""
        if not connection.closing:
            connection.shut_down()
            self._silent.pop(connection.descriptor, None)
            self._reports.limit_reached(because)

    def check(self, now: float) -> None:
        """Close the connections that have been silent for too long, or have sent too many bytes."""
        for connection in list(self._silent.values()):
            if now - connection.opened >= self._limits.max_silent_seconds:
                self.close(connection, "they sent no request in time")
        for connection in self._open.values():
            if not connection.spend_received_bytes(now):
                self.close(connection, "they sent too many bytes")

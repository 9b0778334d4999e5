"""Sends messages to the clients, with a limit on the bytes that a client does not read.

A client that does not read its answers is disconnected. A client that does not read its events only misses some events,
and sees the gap in the numbers of the events.
"""

from __future__ import annotations

import time
from collections.abc import Container
from typing import Final

import zmq

from .connection import OpenConnection
from .connections import Connections
from .limits import GatewayLimits
from .seam import RoutingId

_FIRST_FRAME: Final = int(zmq.SNDMORE | zmq.NOBLOCK)
_LAST_FRAME: Final = int(zmq.NOBLOCK)
_NOT_READING: Final = "they did not read what they had requested"


class Outbox:
    """Sends messages to the clients of `router`, and knows which of them are subscribers."""

    def __init__(self, router: zmq.Socket[bytes], connections: Connections, limits: GatewayLimits) -> None:
        self._router = router
        self._connections = connections
        self._limits = limits
        self._subscribers: dict[RoutingId, OpenConnection] = {}

    def answer(self, routing_id: RoutingId, body: bytes) -> None:
        """Send the reply `body`, unless the client has disconnected. If the client does not read, disconnect it."""
        client = self._connections.client(routing_id)
        if client is not None and not self._send(client, body):
            self._connections.close(client, _NOT_READING)

    def announce(self, body: bytes) -> None:
        """Send the event `body` to all subscribers that read."""
        for client in self._subscribers.values():
            self._send(client, body)

    def subscribe(self, routing_id: RoutingId) -> None:
        """Send events to this client from now on, until it disconnects."""
        client = self._connections.client(routing_id)
        if client is not None:
            self._subscribers[routing_id] = client

    def unsubscribe_all_but(self, known: Container[bytes]) -> None:
        """Send no more events to clients whose keys are not in `known`."""
        self._subscribers = {
            routing_id: client for routing_id, client in self._subscribers.items() if client.key in known
        }

    def unsubscribe(self, routing_id: RoutingId) -> None:
        """Send no more events to this client."""
        self._subscribers.pop(routing_id, None)

    def _send(self, client: OpenConnection, body: bytes) -> bool:
        """Send one message of any size; return False, and don't send it, if too much is unread already."""
        if client.closing:
            return True
        if client.unread and client.unread + len(body) > self._limits.max_unread_bytes:
            client.spend_received_bytes(time.monotonic())
            if client.unread > self._limits.max_unread_bytes:
                return False
        try:
            self._router.send(client.routing_id, _FIRST_FRAME)
            self._router.send(body, _LAST_FRAME)
        except zmq.ZMQError as error:
            if error.errno == zmq.EHOSTUNREACH:
                return True  # the connection has ended; libzmq's event about it will follow
            if error.errno == zmq.EAGAIN:
                return False
            raise
        client.unread += len(body)
        if client.unread > self._limits.max_unread_bytes:
            self._relieve()
        return True

    def _relieve(self) -> None:
        """While all clients together exceed the limit for unread bytes, disconnect the client with the most unread
        bytes.
        """
        clients = [client for client in self._connections.clients() if not client.closing]
        while sum(client.unread for client in clients) > self._limits.max_unread_bytes_of_all:
            worst = max(clients, key=lambda client: client.unread)
            clients.remove(worst)
            self._connections.close(worst, _NOT_READING)

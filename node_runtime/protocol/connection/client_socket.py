"""The client's ZeroMQ socket on the running event loop.

It doesn't use zmq.asyncio, because a future of zmq.asyncio takes longer than a round trip to the node.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, cast

import zmq

from node_runtime.protocol.run_directory import NodeAddress
from node_runtime.protocol.wire import MAX_REPLY_BYTES, prepare_socket, send_heartbeats

NO_RECONNECTION_MS: Final = 24 * 3600 * 1000
"""Milliseconds that libzmq waits before it connects again. No client keeps a lost connection this long.

A reconnection would repeat a refused cookie for ever. The value -1 would disable reconnections. But then libzmq may
drop a reply that has arrived right before the connection ended.
"""


class ClientSocket:
    """A socket for the node at `address`, with the keys of its cookie; the socket never reconnects.

    `on_message(data)` is called for each message that arrives, and `on_event(event)` for each `zmq.Event` by which
    libzmq reports a change of the connection.
    """

    def __init__(
        self, address: NodeAddress, on_message: Callable[[bytes], None], on_event: Callable[[int], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_message = on_message
        self._on_event = on_event
        self._endpoint = f"tcp://{address.host}:{address.port}"
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._dealer = self._context.socket(zmq.DEALER)
        prepare_socket(self._dealer, MAX_REPLY_BYTES)
        send_heartbeats(self._dealer)
        self._dealer.curve_secretkey = address.cookie.secret
        self._dealer.curve_publickey = zmq.curve_public(address.cookie.secret)
        self._dealer.curve_serverkey = address.cookie.server
        self._dealer.setsockopt(zmq.RECONNECT_IVL, NO_RECONNECTION_MS)
        self._monitor: zmq.Socket[bytes] = self._dealer.get_monitor_socket()
        self._descriptors = [(self._monitor.FD, self._read_events), (self._dealer.FD, self._read)]

    def connect(self) -> None:
        """Begin to connect, and to read. Raises ZMQError if the address is malformed."""
        for descriptor, read in self._descriptors:
            self._loop.add_reader(descriptor, read)
        self._dealer.connect(self._endpoint)
        self._read_events()

    def send(self, data: bytes) -> bool:
        """Send one message; return False if too many messages wait to be sent."""
        try:
            self._dealer.send(data, zmq.NOBLOCK)
        except zmq.Again:
            return False
        self._read()  # the descriptor signals a message only once, and `send` may have consumed the signal
        return True

    def close(self) -> None:
        """Close the connection at once."""
        for descriptor, _ in self._descriptors:
            self._loop.remove_reader(descriptor)
        self._context.destroy(linger=0)

    def _read(self) -> None:
        while not self._dealer.closed and _has_message(self._dealer):
            self._on_message(self._dealer.recv(zmq.NOBLOCK))

    def _read_events(self) -> None:
        while not self._monitor.closed and _has_message(self._monitor):
            event = int.from_bytes(self._monitor.recv_multipart()[0][:2], "little")
            self._read()  # a reply that arrived before the event must not be lost together with the connection
            self._on_event(event)


def _has_message(zmq_socket: zmq.Socket[bytes]) -> bool:
    return bool(cast(int, zmq_socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN)

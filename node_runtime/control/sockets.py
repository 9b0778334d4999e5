"""The node's two sockets and the one thread that owns them.

ROUTER takes requests and XPUB sends events; both are CURVE servers. ZeroMQ's sockets belong to one thread, so others
hand it work with `run`, which wakes it through a plain socket pair (of ZeroMQ's own each thread would need an end).
Nothing that waits for the event loop may run in this thread: it is what answers while the loop can't.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import zmq

from node_runtime.protocol.cookie import NodeKeys
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Role
from node_runtime.protocol.wire import MAX_REQUEST, WELCOME, prepare_socket

from .authentication import DOMAIN, Zap

Work: TypeAlias = Callable[[], None]

LINGER: Final = 300
"""Milliseconds in which the last answers, such as that to an order to stop, may leave."""
QUEUE: Final = 1000
"""Messages that wait for one client; more are dropped, which it sees as a gap."""

logger: Final = logging.getLogger("node_runtime.control")


@dataclass(frozen=True, slots=True)
class Peer:
    """A connection: what libzmq says of it. `address` is an IP address."""

    routing_id: bytes
    role: Role
    address: str


class Endpoint:
    """Bound, then started, then stopped."""

    def __init__(self, keys: NodeKeys) -> None:
        self._keys = keys
        self._work: deque[Work] = deque()
        self._timers: list[tuple[float, int, Work]] = []
        self._numbers = itertools.count()
        self._stopping = False
        self._wake, self._woken = socket.socketpair()
        for end in (self._wake, self._woken):
            end.setblocking(False)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._zap = Zap(self._context, keys.roles)
        self._router = self._server(zmq.ROUTER)
        self._router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._events = self._server(zmq.XPUB)
        self._events.setsockopt(zmq.XPUB_WELCOME_MSG, WELCOME)
        self._thread = threading.Thread(target=self._serve, name="node_runtime.control", daemon=True)

    # ------------------------------------------------------------------ for every thread

    def bind(self, host: str, port: int) -> tuple[int, int]:
        """Take the ports of requests and of events, and return them; nothing is served yet.

        With port 0 both are free ones; else events have the next port. Raises Refused for an address that is taken.
        """
        return self._bind(self._router, host, port), self._bind(self._events, host, port and port + 1)

    def start(self, on_request: Callable[[Peer, bytes], None]) -> None:
        """Serve from now on: `on_request(peer, body)` is called in the endpoint's thread."""
        self._on_request = on_request
        self._thread.start()

    def stop(self) -> None:
        """End the thread, after the work that it was given, and close the sockets."""
        self._stopping = True
        self._ring()
        if self._thread.ident is None:
            self._close()
        else:
            self._thread.join()

    def run(self, work: Work) -> None:
        """Call `work()` in the endpoint's thread, soon."""
        self._work.append(work)
        self._ring()

    # ------------------------------------------------------------------ in the thread only

    def later(self, seconds: float, work: Work) -> None:
        """Call `work()` in `seconds` seconds, if the endpoint still serves then."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), work))

    def reply(self, routing_id: bytes, body: bytes) -> bool:
        """Send to one client; False if it is gone or doesn't read."""
        try:
            self._router.send_multipart([routing_id, body], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            if error.errno in (zmq.EHOSTUNREACH, zmq.EAGAIN):
                return False
            raise
        return True

    def publish(self, body: bytes) -> None:
        """Send to every subscriber; one that is too slow misses it."""
        self._events.send(body, zmq.NOBLOCK)

    # ------------------------------------------------------------------ inside

    def _server(self, kind: int) -> zmq.Socket[bytes]:
        server: zmq.Socket[Any] = self._context.socket(kind)
        prepare_socket(server, MAX_REQUEST)
        server.setsockopt(zmq.SNDHWM, QUEUE)
        server.setsockopt(zmq.RCVHWM, QUEUE)
        server.curve_server = True
        server.curve_secretkey = self._keys.secret
        # Without both of these libzmq lets every key in when nobody answers for ZAP.
        server.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)
        server.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        return server

    @staticmethod
    def _bind(server: zmq.Socket[bytes], host: str, port: int) -> int:
        try:
            server.bind(f"tcp://{host}:{port or '*'}")
        except zmq.ZMQError as error:
            raise Refused(
                f"The node can't listen on {host}:{port} ({error.strerror}); choose another `listen` in node.toml."
            ) from None
        return int(server.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])

    def _ring(self) -> None:
        with suppress(OSError):  # full: it is awake already; closed: it has stopped
            self._wake.send(b"\0")

    def _serve(self) -> None:
        poller = zmq.Poller()
        for source in (self._router, self._events, self._zap.socket, self._woken):
            poller.register(source, zmq.POLLIN)
        while not (self._stopping and not self._work):
            ready = dict(poller.poll(self._milliseconds_left()))
            if self._zap.socket in ready:
                self._guarded(self._zap.answer)
            if self._woken.fileno() in ready:
                self._woken.recv(4096)
            for _ in range(len(self._work)):
                self._guarded(self._work.popleft())
            if self._router in ready:
                self._guarded(self._take_request)
            if self._events in ready:
                self._events.recv()  # a subscription; taking it is what makes libzmq send the welcome
            while self._timers and self._timers[0][0] <= time.monotonic():
                self._guarded(heapq.heappop(self._timers)[2])
        self._close()

    def _milliseconds_left(self) -> int | None:
        if not self._timers:
            return None
        return max(0, math.ceil((self._timers[0][0] - time.monotonic()) * 1000))

    @staticmethod
    def _guarded(work: Work) -> None:
        try:
            work()
        except Exception:
            logger.exception("the control thread goes on after an error")

    def _take_request(self) -> None:
        routing_id, *frames = self._router.recv_multipart(copy=False)
        if len(frames) != 1:
            return
        role: Role = "operator" if frames[0].get("User-Id") == "operator" else "viewer"
        peer = Peer(bytes(routing_id.buffer), role, str(frames[0].get("Peer-Address") or ""))
        self._on_request(peer, bytes(frames[0].buffer))

    def _close(self) -> None:
        self._context.destroy(linger=LINGER)
        self._wake.close()
        self._woken.close()

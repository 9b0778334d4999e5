"""The control plane's two ZeroMQ sockets and the thread that owns them.

The ROUTER socket receives requests, the XPUB socket sends events; both are CURVE servers. A ZeroMQ socket belongs to
one thread, so other threads pass tasks to that thread with `run`, which wakes the thread through a plain socket pair (a
ZeroMQ pair would need one socket per calling thread). The thread must never wait for the event loop, because it has to
answer requests while the loop is blocked.
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
from typing import Any, Final, TypeAlias

import zmq

from node_runtime.protocol.cookie import NodeKeys
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.key_ring import KeyRing
from node_runtime.protocol.wire import MAX_REQUEST_BYTES, WELCOME, prepare_socket

from .authentication import ZAP_DOMAIN, ZapHandler
from .peer import Peer

SocketTask: TypeAlias = Callable[[], None]

LINGER_MS: Final = 300
"""Milliseconds for which closing waits until the last replies are sent, such as the reply to a stop request."""
MAX_QUEUED_MESSAGES: Final = 1000
"""The maximum number of messages queued for a client; messages beyond it are dropped.

A client detects dropped events by the gap in their numbers.
"""

logger: Final = logging.getLogger("node_runtime.control")


class ControlSockets:
    """The sockets and their thread. Call `bind`, then `start`, then `stop`."""

    def __init__(self, keys: NodeKeys, ring: KeyRing) -> None:
        self._keys = keys
        self.on_login_refused: Callable[[str, bytes], None] = lambda address, key: None
        """Called in the control thread for each refused connection, with its address and key."""
        self._tasks: deque[SocketTask] = deque()
        self._timers: list[tuple[float, int, SocketTask]] = []
        self._numbers = itertools.count()
        self._stopping = False
        self._wake, self._woken = socket.socketpair()
        for end in (self._wake, self._woken):
            end.setblocking(False)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._zap = ZapHandler(self._context, ring, self._login_refused)
        self._router = self._server(zmq.ROUTER)
        self._router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._events = self._server(zmq.XPUB)
        self._events.setsockopt(zmq.XPUB_WELCOME_MSG, WELCOME)
        self._thread = threading.Thread(target=self._serve, name="node_runtime.control", daemon=True)

    # ------------------------------------------------------------------ callable from every thread

    def bind(self, host: str, port: int) -> tuple[int, int]:
        """Bind both sockets; return the port for requests and the port for events. `start` begins to serve them.

        If `port` is 0, both are free ports; otherwise events use `port` + 1. Raises Refused if an address is in use.
        """
        return self._bind(self._router, host, port), self._bind(self._events, host, port and port + 1)

    def start(self, on_request: Callable[[Peer, bytes], None]) -> None:
        """Start the control thread, which calls `on_request(peer, body)` for each request."""
        self._on_request = on_request
        self._thread.start()

    def stop(self) -> None:
        """End the control thread after its queued tasks, and close the sockets."""
        self._stopping = True
        self._wake_up()
        if self._thread.ident is None:
            self._close()
        else:
            self._thread.join()

    def run(self, task: SocketTask) -> None:
        """Call `task()` in the control thread as soon as possible."""
        self._tasks.append(task)
        self._wake_up()

    # ------------------------------------------------------------------ callable from the control thread only

    def later(self, seconds: float, task: SocketTask) -> None:
        """Call `task()` after `seconds` seconds, unless the sockets are closed first."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), task))

    def set_keys(self, ring: KeyRing) -> None:
        """Accept only the keys of this ring from now on."""
        self._zap.ring = ring

    def reply(self, routing_id: bytes, body: bytes) -> bool:
        """Send `body` to one client; return False if the client has disconnected or does not read."""
        try:
            self._router.send_multipart([routing_id, body], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            if error.errno in (zmq.EHOSTUNREACH, zmq.EAGAIN):
                return False
            raise
        return True

    def publish(self, body: bytes) -> None:
        """Send `body` to every subscriber; a subscriber whose queue is full misses it."""
        self._events.send(body, zmq.NOBLOCK)

    # ------------------------------------------------------------------ inside

    def _server(self, kind: int) -> zmq.Socket[bytes]:
        server: zmq.Socket[Any] = self._context.socket(kind)
        prepare_socket(server, MAX_REQUEST_BYTES)
        server.setsockopt(zmq.SNDHWM, MAX_QUEUED_MESSAGES)
        server.setsockopt(zmq.RCVHWM, MAX_QUEUED_MESSAGES)
        server.curve_server = True
        server.curve_secretkey = self._keys.secret
        # Without both options libzmq admits every key when no ZAP handler answers.
        server.setsockopt(zmq.ZAP_DOMAIN, ZAP_DOMAIN)
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

    def _wake_up(self) -> None:
        with suppress(OSError):  # full: the thread is already awake; closed: the thread has stopped
            self._wake.send(b"\0")

    def _serve(self) -> None:
        poller = zmq.Poller()
        for source in (self._router, self._events, self._zap.socket, self._woken):
            poller.register(source, zmq.POLLIN)
        while not (self._stopping and not self._tasks):
            ready = dict(poller.poll(self._milliseconds_left()))
            if self._zap.socket in ready:
                self._run_logged(self._zap.answer)
            if self._woken.fileno() in ready:
                self._woken.recv(4096)
            for _ in range(len(self._tasks)):
                self._run_logged(self._tasks.popleft())
            if self._router in ready:
                self._run_logged(self._receive_request)
            if self._events in ready:
                self._events.recv()  # libzmq sends the welcome message when the subscription is received
            while self._timers and self._timers[0][0] <= time.monotonic():
                self._run_logged(heapq.heappop(self._timers)[2])
        self._close()

    def _milliseconds_left(self) -> int | None:
        if not self._timers:
            return None
        return max(0, math.ceil((self._timers[0][0] - time.monotonic()) * 1000))

    @staticmethod
    def _run_logged(task: SocketTask) -> None:
        try:
            task()
        except Exception:
            logger.exception("a task of the control thread failed")

    def _receive_request(self) -> None:
        routing_id, *frames = self._router.recv_multipart(copy=False)
        if len(frames) != 1:
            return
        key = str(frames[0].get("User-Id")).encode()
        holder = self._zap.ring.known(key)
        name, role = (holder.name, holder.role) if holder is not None else ("", "viewer")
        peer = Peer(bytes(routing_id.buffer), key, name, role, str(frames[0].get("Peer-Address") or ""))
        self._on_request(peer, bytes(frames[0].buffer))

    def _login_refused(self, address: str, key: bytes) -> None:
        self.on_login_refused(address, key)

    def _close(self) -> None:
        self._context.destroy(linger=LINGER_MS)
        self._wake.close()
        self._woken.close()

"""The control thread, which inspects the node and answers requests, even while the event loop is blocked.

It polls the seam: the socket to the gateway, the OS process that owns the ZeroMQ socket. Other threads pass tasks to it
with `run`, which wakes it through a socket pair. The control thread must never wait for the event loop.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeAlias

import msgspec

from node_runtime.protocol.cookie import NodeKeys
from node_runtime.protocol.key_ring import KeyRing
from node_runtime.protocol.messages import Reply
from node_runtime.protocol.wire import pack

from .gateway.limits import GatewayLimits
from .gateway.seam import Deliver, Drop, Received, Subscribe, Unsubscribe
from .gateway.token_bucket import Refill, TokenBucket
from .gateway_link import GatewayCallbacks, GatewayLink
from .peer import Peer

ControlTask: TypeAlias = Callable[[], None]

CROWD: Final = Refill(200, 100)
"""If viewers send more messages than this, the thread pauses after each round, so that each round handles many
messages.

If the thread handled each message alone, it would take the interpreter's lock from the event loop for each message.
"""
CROWD_PAUSE_SECONDS: Final = 0.005

logger: Final = logging.getLogger("node_runtime.control")


class ControlCallbacks(msgspec.Struct, frozen=True):
    """The functions that the control thread calls.

    The thread calls `on_request(peer, body)` for each request, `on_gone(routing_id)` for each client that has gone, and
    `on_logins_refused(address, key, count)` for connections that were refused because of their key.
    """

    on_request: Callable[[Peer, bytes], None]
    on_gone: Callable[[bytes], None]
    on_logins_refused: Callable[[str, bytes, int], None]


class ControlThread:
    """The thread and its gateway, which accepts the keys of `ring`. Call `open`, then `start`, then `stop`."""

    def __init__(self, keys: NodeKeys, ring: KeyRing, limits: GatewayLimits) -> None:
        self._ring = ring
        self._tasks: deque[ControlTask] = deque()
        self._timers: list[tuple[float, int, ControlTask]] = []
        self._numbers = itertools.count()
        self._stopping = False
        self._pace = TokenBucket(CROWD, time.monotonic())
        self._wake, self._woken = socket.socketpair()
        for end in (self._wake, self._woken):
            end.setblocking(False)
        callbacks = GatewayCallbacks(self._receive, self._forget, self._note_refused_logins)
        self._link = GatewayLink(keys.secret, ring, callbacks, self.later, limits)
        self._thread = threading.Thread(target=self._serve, name="node_runtime.control", daemon=True)

    # ------------------------------------------------------------------ callable from every thread

    def open(self, host: str, port: int) -> int:
        """Start the gateway, which listens on `host` and `port`; return the port. Port 0 means any free port.

        `start` begins to serve requests. Raises Refused if the address can't be used, or if the gateway has not refused
        a client with an unknown key.
        """
        return self._link.open(host, port)

    def start(self, callbacks: ControlCallbacks) -> None:
        """Start the thread."""
        self._callbacks = callbacks
        self._thread.start()

    def stop(self) -> None:
        """Run the queued tasks and end the thread; send the queued replies and end the gateway."""
        self._stopping = True
        self._wake_up()
        if self._thread.ident is None:
            self._close()
        else:
            self._thread.join()

    def run(self, task: ControlTask) -> None:
        """Call `task()` in the control thread as soon as possible."""
        self._tasks.append(task)
        self._wake_up()

    # ------------------------------------------------------------------ callable from the control thread only

    def later(self, seconds: float, task: ControlTask) -> None:
        """Call `task()` after `seconds` seconds, unless the thread has ended by then."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), task))

    def set_keys(self, ring: KeyRing) -> None:
        """Accept only the keys of this ring from now on; clients with other keys get no more events."""
        self._ring = ring
        self._link.set_keys(ring)

    def set_secret_key(self, secret_key: bytes) -> None:
        """Use this key of the node from now on; all clients are disconnected."""
        self._link.set_secret_key(secret_key)

    def reply(self, routing_id: bytes, body: bytes) -> bool:
        """Send `body` to one client; return False if no gateway listens. True does not mean that the client gets it."""
        return self._link.send(Deliver(routing_id, body))

    def publish(self, event: bytes) -> None:
        """Send the packed event to every subscriber; a subscriber that does not read misses the event."""
        self._link.announce(pack(Reply(id=0, event=event)))

    def subscribe(self, routing_id: bytes) -> None:
        """Send events to this client until it disconnects. A reply that is sent now arrives before the first event."""
        self._link.send(Subscribe(routing_id))

    def unsubscribe(self, routing_id: bytes) -> None:
        """Send no more events to this client."""
        self._link.send(Unsubscribe(routing_id))

    def drop(self, routing_id: bytes) -> None:
        """Disconnect this client."""
        self._link.send(Drop(routing_id))

    # ------------------------------------------------------------------ inside

    def _wake_up(self) -> None:
        with suppress(OSError):  # full: the thread is already awake; closed: the thread has stopped
            self._wake.send(b"\0")

    def _serve(self) -> None:
        poller = select.poll()
        woken = self._woken.fileno()
        poller.register(woken, select.POLLIN)
        polled: tuple[int, int] | None = None
        self._run_logged(self._link.exchange)  # requests that arrived before the thread was started
        self._link.flush()
        while not (self._stopping and not self._tasks):
            polled = self._poll_link(poller, polled)
            ready = poller.poll(self._milliseconds_left())
            for descriptor, _ in ready:
                if descriptor == woken:
                    self._woken.recv(4096)
            for _ in range(len(self._tasks)):
                self._run_logged(self._tasks.popleft())
            for descriptor, _ in ready:
                if descriptor != woken:
                    self._run_logged(self._link.exchange)
            while self._timers and self._timers[0][0] <= time.monotonic():
                self._run_logged(heapq.heappop(self._timers)[2])
            self._link.flush()
            if not self._pace.spend(0, time.monotonic()):
                time.sleep(CROWD_PAUSE_SECONDS)
        self._close()

    def _poll_link(self, poller: select.poll, polled: tuple[int, int] | None) -> tuple[int, int] | None:
        """Register with `poller` the descriptor and events that the link wants, in place of `polled`; return the new
        pair.
        """
        wanted = self._link.interest()
        if wanted != polled:
            if polled is not None:
                with suppress(KeyError):
                    poller.unregister(polled[0])
            if wanted is not None:
                poller.register(*wanted)
        return wanted

    def _milliseconds_left(self) -> int | None:
        if not self._timers:
            return None
        return max(0, math.ceil((self._timers[0][0] - time.monotonic()) * 1000))

    @staticmethod
    def _run_logged(task: ControlTask) -> None:
        try:
            task()
        except Exception:
            logger.exception("a task of the control thread failed")

    def _receive(self, received: Received) -> None:
        holder = self._ring.known(received.key)
        name, role = (holder.name, holder.role) if holder is not None else ("", "viewer")
        if role == "viewer":
            self._pace.take(1)
        peer = Peer(received.routing_id, received.key, name, role, received.address)
        self._run_logged(lambda: self._callbacks.on_request(peer, received.body))

    def _forget(self, routing_id: bytes) -> None:
        self._run_logged(lambda: self._callbacks.on_gone(routing_id))

    def _note_refused_logins(self, address: str, key: bytes, count: int) -> None:
        self._run_logged(lambda: self._callbacks.on_logins_refused(address or "other addresses", key, count))

    def _close(self) -> None:
        self._link.close()
        self._wake.close()
        self._woken.close()

"""The loop of the gateway: passes requests from the clients to the node, and answers and events back."""

from __future__ import annotations

import math
import select
import socket
import sys
import time
from typing import Final, assert_never

import zmq

from node_runtime.protocol.messages.struct import Role
from node_runtime.protocol.wire import MAX_REQUEST_BYTES, prepare_socket

from .access_selftest import HANDSHAKE_SECONDS, refuses_strangers
from .authentication import ZAP_DOMAIN, ZapHandler
from .connections import Connections
from .outbox import Outbox
from .process_setup import ignore_signals, limit_process, seed_c_random
from .reports import Reports
from .seam import (
    Announce,
    CannotListen,
    Configure,
    Deliver,
    Drop,
    FromNode,
    Gone,
    KnownKeys,
    Listening,
    Ping,
    Pong,
    Received,
    RoutingId,
    Seam,
    SeamClosed,
    SeamError,
    SeamHello,
    StopGateway,
    Subscribe,
    Unsubscribe,
)
from .sockets import has_message

CHECK_SECONDS: Final = 0.1
"""Seconds between two checks of the connections, while there are any."""
MAX_REQUESTS_IN_A_ROW: Final = 64
"""The maximum number of requests that are passed on before the gateway handles answers of the node."""
MAX_UNSENT_BYTES: Final = 8 << 20
"""If more bytes of requests than this wait for the node, the gateway takes no request from libzmq."""
MAX_UNRECEIVED_MESSAGES: Final = 16
"""The maximum number of a client's messages that libzmq keeps until the gateway takes them."""
AWAKE_SECONDS: Final = 0.0003
"""After a request, the gateway stays awake until the node answers, for at most this many seconds.

For the node, waking the gateway would take longer than making most answers.
"""
MAX_UNACCEPTED_CONNECTIONS: Final = 1024
"""The number of connections that the kernel keeps until libzmq accepts them. Beyond it, a client waits a second."""
_KEEPALIVE: Final = {
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: 10,
    zmq.TCP_KEEPALIVE_INTVL: 5,
    zmq.TCP_KEEPALIVE_CNT: 3,
}
"""Options, in seconds, by which the kernel notices that the machine of a client is gone, even without heartbeats."""
LINGER_MS: Final = 1000
"""Milliseconds for which a stop waits until the last replies are sent, such as the reply to a stop request."""

FIRST_ENDPOINT: Final = "inproc://gateway.first"


class Gateway:
    """The gateway of the node at the other end of `seam`, configured by `settings`."""

    def __init__(self, seam: Seam[FromNode], settings: Configure) -> None:
        self._seam = seam
        self._settings = settings
        self._limits = settings.limits
        self._reports = Reports()
        seed_c_random()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._context.set(zmq.MAX_SOCKETS, 64)
        self._zap = ZapHandler(self._context, settings.ring, self._reports.login_refused)
        self._router = self._make_router()
        self._connections = Connections(self._router, self._zap, self._limits, self._reports, self._on_gone)
        self._outbox = Outbox(self._router, self._connections, self._limits)
        self._stopping = False
        self._next_check = 0.0
        self._awake_until = 0.0
        self._wanted = select.POLLIN
        self._poller = select.poll()
        for descriptor in (seam.fileno(), self._router.FD, self._zap.socket.FD, self._connections.monitor.FD):
            self._poller.register(descriptor, select.POLLIN)

    def listen(self) -> bool:
        """Begin to listen, and tell the node the port; return False if that is impossible."""
        host, port = self._settings.host, self._settings.port
        try:
            self._connections.expect_ids_after(self._first_routing_id())
            self._router.bind(f"tcp://{host}:{port or '*'}")
        except zmq.ZMQError as error:
            self._tell_failure(
                f"The node can't listen on {host}:{port} ({error.strerror}); choose another `listen` in node.toml."
            )
            return False
        port = int(self._router.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])
        local = "127.0.0.1" if host in ("*", "0.0.0.0") else host
        public = zmq.curve_public(self._settings.secret_key)
        if not refuses_strangers(public, local, port, meanwhile=self._answer_logins):
            self._tell_failure(
                f"A self-test failed: the control port {local}:{port} did not refuse an unknown key within "
                f"{HANDSHAKE_SECONDS:g} s, so it is closed; restart the node, and report a bug if this happens again."
            )
            return False
        self._reports.clear()  # the refusal of the test client must not be reported
        self._seam.put(Listening(port))
        self._seam.flush()
        return True

    def serve(self) -> None:
        """Serve clients until the node stops the gateway. Raises SeamError if the node has ended."""
        zap, monitor, seam = self._zap.socket.FD, self._connections.monitor.FD, self._seam.fileno()
        more = False
        while not self._stopping:
            busy = more or time.monotonic() < self._awake_until
            ready = [descriptor for descriptor, _ in self._poller.poll(0 if busy else self._milliseconds_left())]
            if seam in ready:
                for message in self._seam.take():
                    self._obey(message)
            if zap in ready:
                self._answer_logins()
            if monitor in ready:
                self._connections.follow()
            # Look for messages in any case: libzmq signals new ones only once, and sending may consume the signal.
            more = self._pass_requests_on()
            self._check()
        self._report()
        self._context.destroy(linger=LINGER_MS)

    # ------------------------------------------------------------------ inside

    def _make_router(self) -> zmq.Socket[bytes]:
        router: zmq.Socket[bytes] = self._context.socket(zmq.ROUTER)
        prepare_socket(router, MAX_REQUEST_BYTES)
        router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        router.setsockopt(zmq.SNDHWM, self._limits.max_unread_messages)
        router.setsockopt(zmq.RCVHWM, MAX_UNRECEIVED_MESSAGES)
        for option, value in _KEEPALIVE.items():
            router.setsockopt(option, value)
        router.setsockopt(zmq.BACKLOG, MAX_UNACCEPTED_CONNECTIONS)
        router.curve_server = True
        router.curve_secretkey = self._settings.secret_key
        # Unless both options are set, libzmq admits every key when no ZAP handler answers.
        router.setsockopt(zmq.ZAP_DOMAIN, ZAP_DOMAIN)
        router.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        return router

    def _first_routing_id(self) -> RoutingId:
        """Return the id that libzmq assigns to the first connection, which this method makes itself."""
        first: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        self._router.bind(FIRST_ENDPOINT)
        first.connect(FIRST_ENDPOINT)
        first.send(b"")
        routing_id, _ = self._router.recv_multipart()
        first.close(linger=0)
        self._router.unbind(FIRST_ENDPOINT)
        return routing_id

    def _answer_logins(self) -> None:
        # `follow` comes first, so that a connection is known before its handshake has a number.
        self._zap.answer_all(before_each=self._connections.follow)

    def _tell_failure(self, sentence: str) -> None:
        self._seam.put(CannotListen(sentence))
        self._seam.flush()

    def _milliseconds_left(self) -> int | None:
        if self._connections or self._reports.waiting:
            return max(0, math.ceil((self._next_check - time.monotonic()) * 1000))
        return None

    def _pass_requests_on(self) -> bool:
        """Pass on the requests that have arrived; return whether there may be more."""
        for _ in range(MAX_REQUESTS_IN_A_ROW):
            if not has_message(self._router) or self._seam.unsent > MAX_UNSENT_BYTES:
                self._flush()
                return False
            self._pass_request_on()
        return True

    def _pass_request_on(self) -> None:
        routing_id = self._router.recv(zmq.NOBLOCK)
        request = self._router.recv(zmq.NOBLOCK, copy=False)
        more = request.more
        while more:
            more = self._router.recv(zmq.NOBLOCK, copy=False).more
        client = self._connections.client(routing_id)
        if client is None:
            client = self._connections.introduce(routing_id, request, self._role_of)
        if client is None or not self._connections.admits(client):
            return
        if request.more:
            self._connections.close(client, "they sent a message of several frames")
            return
        self._awake_until = time.monotonic() + AWAKE_SECONDS
        self._seam.put(Received(routing_id, client.key, client.address, request.bytes))
        self._seam.flush()

    def _role_of(self, key: bytes) -> Role:
        holder = self._zap.ring.holder(key, time.time())
        return "viewer" if holder is None else holder.role  # if the key has just expired, the node refuses the request

    def _flush(self) -> None:
        self._seam.flush()
        wanted = select.POLLIN | (select.POLLOUT if self._seam.unsent else 0)
        if wanted != self._wanted:
            self._poller.modify(self._seam.fileno(), wanted)
            self._wanted = wanted

    def _check(self) -> None:
        now = time.monotonic()
        if now < self._next_check:
            return
        self._next_check = now + CHECK_SECONDS
        self._connections.follow()
        self._connections.check(now)
        self._report()

    def _report(self) -> None:
        for report in self._reports.take():
            self._seam.put(report)
        self._flush()

    def _on_gone(self, routing_id: RoutingId) -> None:
        self._outbox.unsubscribe(routing_id)
        self._seam.put(Gone(routing_id))

    def _obey(self, message: FromNode) -> None:
        match message:
            case Deliver():
                self._awake_until = 0.0
                self._outbox.answer(message.routing_id, message.body)
            case Announce():
                self._outbox.announce(message.body)
            case Subscribe():
                self._outbox.subscribe(message.routing_id)
            case Unsubscribe():
                self._outbox.unsubscribe(message.routing_id)
            case Drop():
                self._drop(message.routing_id)
            case KnownKeys():
                self._zap.ring = message.ring
                self._outbox.unsubscribe_all_but({key.public for key in message.ring.keys})
            case StopGateway():
                self._stopping = True
            case Ping():
                self._seam.put(Pong())
            case Configure() | SeamHello():
                raise SeamError("the gateway is configured already")
            case _:
                assert_never(message)

    def _drop(self, routing_id: RoutingId) -> None:
        client = self._connections.client(routing_id)
        if client is not None:
            self._connections.close(client, "the node requested it")


def main(arguments: list[str]) -> None:
    """Run the gateway of the node at the other end of a socket, whose descriptor is the only argument."""
    (descriptor,) = arguments
    ignore_signals()
    sys.exit(_run(Seam(socket.socket(fileno=int(descriptor)), FromNode)))


def _run(seam: Seam[FromNode]) -> int:
    """Run until the node ends or stops the gateway; return the exit code."""
    try:
        settings = _first_message(seam)
        limit_process(settings.limits)
        gateway = Gateway(seam, settings)
        if not gateway.listen():
            return 1
        gateway.serve()
    except SeamClosed:
        return 0  # the node has ended
    except SeamError as error:
        print(f"The gateway ends, because {error}.", file=sys.stderr)
        return 2
    return 0


def _first_message(seam: Seam[FromNode]) -> Configure:
    seam.flush()
    while True:
        select.select([seam], [], [])
        for message in seam.take():
            if isinstance(message, Configure):
                return message
            raise SeamError("the first message after the hello has to be the configuration")

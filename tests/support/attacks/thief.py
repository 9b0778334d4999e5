"""A thief of a viewer's cookie: raw connections that send what no client of ours would send."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import zmq

from node_runtime.protocol import messages as m
from node_runtime.protocol.methods import METHODS
from node_runtime.protocol.run_directory import NodeAddress
from node_runtime.protocol.wire import MalformedMessage, pack, unpack

ANSWER_SECONDS: Final = 5.0
"""The longest wait for an answer. A node need not answer an attacker."""
SEND_MS: Final = 2000
"""The longest wait for a connection that takes no more."""
FIRST_NUMBER: Final = 1 << 20
"""The first id of the requests whose replies are awaited, so that they differ from those of a flood."""
PATIENCE_SECONDS: Final = 90.0
"""The longest time for which a request is repeated that was refused because there were too many."""


@dataclass
class Thief:
    """One connection to a node with a stolen cookie."""

    address: NodeAddress
    kind: int = zmq.DEALER
    routing_id: bytes = b""
    options: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.context.set(zmq.MAX_SOCKETS, 4096)
        self._numbers = itertools.count(FIRST_NUMBER)
        self._others: list[zmq.Socket[bytes]] = []
        self.socket = self.connect()
        self._ended = self.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED)

    def connect(self, kind: int | None = None, routing_id: bytes | None = None) -> zmq.Socket[bytes]:
        """A further connection."""
        socket = self.context.socket(self.kind if kind is None else kind)
        socket.linger = 0
        socket.setsockopt(zmq.RECONNECT_IVL, -1)
        socket.setsockopt(zmq.SNDTIMEO, SEND_MS)
        for option, value in self.options.items():
            socket.setsockopt(option, value)
        claimed = self.routing_id if routing_id is None else routing_id
        if claimed:
            socket.setsockopt(zmq.ROUTING_ID, claimed)
        cookie = self.address.cookie
        socket.curve_secretkey, socket.curve_serverkey = cookie.secret, cookie.server
        socket.curve_publickey = zmq.curve_public(cookie.secret)
        socket.connect(f"tcp://{self.address.host}:{self.address.port}")
        self._others.append(socket)
        return socket

    # ------------------------------------------------------------------ sending

    def send(self, *frames: bytes, socket: zmq.Socket[bytes] | None = None) -> bool:
        """Send a message of these frames; returns false if the connection takes no more."""
        try:
            (socket or self.socket).send_multipart(frames)
        except zmq.Again:
            return False
        return True

    def receive(self, seconds: float = ANSWER_SECONDS, socket: zmq.Socket[bytes] | None = None) -> bytes | None:
        """The next message; None if there is none, which is known at once if the node has ended the connection."""
        chosen = socket or self.socket
        poller = zmq.Poller()
        poller.register(chosen, zmq.POLLIN)
        if chosen is self.socket:
            poller.register(self._ended, zmq.POLLIN)
        poller.poll(int(seconds * 1000))
        return chosen.recv() if chosen.poll(0) else None

    def receive_reply(self, number: int, seconds: float = ANSWER_SECONDS) -> m.Reply | None:
        """The reply to a request; None if there is none."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            data = self.receive(left)
            if data is None:
                return None
            try:
                reply = unpack(data, m.Reply)
            except MalformedMessage:
                continue
            if reply.id == number:
                return reply
        return None

    def request(
        self, method: str, params: msgspec.Struct | bytes = b"\x80", number: int | None = None
    ) -> m.Reply | None:
        """The reply to a request; one that was refused because there were too many is repeated."""
        packed = params if isinstance(params, bytes) else pack(params)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            chosen = next(self._numbers) if number is None else number
            self.send(encoded_request(method, packed, chosen))
            reply = self.receive_reply(chosen)
            if reply is None or not is_overload(reply) or time.monotonic() > deadline:
                return reply
            time.sleep(0.1)

    def is_connected(self) -> bool:
        """Returns whether the node answers this connection."""
        reply = self.request("ping")
        return reply is not None and reply.failure is None

    def close(self) -> None:
        """End all connections."""
        self.context.destroy(linger=0)


@contextmanager
def stolen(address: NodeAddress, **options: Any) -> Iterator[Thief]:
    """A thief's connection, closed at the end."""
    thief = Thief(address, **options)
    try:
        yield thief
    finally:
        thief.close()


def is_overload(reply: m.Reply) -> bool:
    """Returns whether a request was refused only because there were too many."""
    return reply.failure is not None and "oo many" in reply.failure.sentence


def encoded_request(method: str, params: bytes = b"\x80", number: int = 1) -> bytes:
    """A request as the real client sends it."""
    return pack(m.Request(id=number, method=method, params=params))


def is_not_allowed(reply: m.Reply | None) -> bool:
    """Returns whether the node has refused because of the role."""
    return reply is not None and reply.failure is not None and reply.failure.code == 4 and reply.result is None


def plausible_params(boot_id: str, pid: int) -> dict[str, msgspec.Struct]:
    """Parameters for each method, with which an operator's request would have an effect."""
    chosen: dict[str, msgspec.Struct] = {
        "hello": m.Hello(protocol=1, client="hotdash", user="ana"),
        "state": m.GetState(pid=pid),
        "plan": m.MakePlan(vsn="2.0"),
        "stage_begin": m.StageBegin(file_name="tiny-3.0.tar.gz", size=10, sha256="0" * 64),
        "stage_chunk": m.StageChunk(upload="0" * 16, offset=0, data=b"0123456789"),
        "stage_end": m.StageEnd(upload="0" * 16),
        "install": m.Install(vsn="2.0", unrehearsed=True, again=True),
        "remove": m.ReleaseVsn(vsn="2.0"),
        "restart_process": m.ProcessTarget(pid=pid, boot_id=boot_id),
        "kill_process": m.ProcessTarget(pid=pid, boot_id=boot_id),
        "stop": m.StopNode(),
    }
    return {method.name: chosen.get(method.name) or default_of(method.params) for method in METHODS}


def default_of(kind: type[msgspec.Struct]) -> msgspec.Struct:
    """Parameters of a type whose fields all have defaults, or the simplest values."""
    simple: dict[type, Any] = {str: "2.0", int: 1, float: 1.0, bytes: b"", bool: False}
    required = [one for one in msgspec.structs.fields(kind) if one.required]
    return kind(**{one.name: simple.get(one.type, "2.0") for one in required})

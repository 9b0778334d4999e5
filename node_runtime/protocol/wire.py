"""Bytes on the wire: how structs are packed, how large they may be, and how every socket is set up.

MessagePack by msgspec, decoded against a declared type; no pickle and no eval anywhere. The sizes and intervals stand
here once because both ends must agree on them.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import msgspec
import zmq

S = TypeVar("S", bound=msgspec.Struct)

MAX_REQUEST = 1 << 20
"""Bytes of the largest frame that a node takes; libzmq drops a peer that sends more."""

MAX_REPLY = 64 << 20
"""Bytes of the largest frame that a client takes: the picture of a hundred thousand processes fits in."""

CHUNK = 256 * 1024
"""Bytes of one piece of an upload."""

WELCOME = b"welcome"
"""What the event socket sends to a new subscriber, so that it knows from when on it misses nothing."""

HANDSHAKE_LIMIT = 4.0
"""Seconds that a peer may take for the handshake; libzmq's own limit is 30 s."""

_encoder = msgspec.msgpack.Encoder()


class Malformed(Exception):
    """The bytes are not what was announced."""


@cache
def _decoder(type_: type[Any]) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(type_)


def pack(value: msgspec.Struct) -> bytes:
    """The struct as MessagePack."""
    return _encoder.encode(value)


def unpack(data: bytes, type_: type[S]) -> S:
    """The struct in `data`; raises Malformed when it isn't exactly a `type_`."""
    try:
        value: S = _decoder(type_).decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(str(error)) from None
    return value


def prepare_socket(socket: zmq.Socket[Any], largest: int) -> None:
    """Limits and heartbeats, the same for both ends; `largest` is the largest frame taken, in bytes.

    Without heartbeats a peer that was stopped or unplugged is never noticed; without MAXMSGSIZE one frame may fill
    the memory.
    """
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.MAXMSGSIZE, largest)
    socket.setsockopt(zmq.HANDSHAKE_IVL, round(HANDSHAKE_LIMIT * 1000))
    socket.setsockopt(zmq.HEARTBEAT_IVL, 2000)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 6000)
    socket.setsockopt(zmq.HEARTBEAT_TTL, 8000)

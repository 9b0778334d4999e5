"""The wire format: packing of structs, size limits, and the options of every socket.

Structs are packed as MessagePack by msgspec and decoded against a declared type; there is no pickle and no eval. The
sizes and intervals are defined here once, because both ends must agree on them.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import msgspec
import zmq

S = TypeVar("S", bound=msgspec.Struct)

MAX_REQUEST_BYTES = 1 << 20
"""Bytes of the largest frame that a node takes; libzmq drops a peer that sends more."""

MAX_REPLY_BYTES = 64 << 20
"""Bytes of the largest frame that a client takes; a snapshot of 100,000 processes is smaller."""

UPLOAD_CHUNK_BYTES = 256 * 1024
"""Bytes of one piece of an upload."""

WELCOME = b"welcome"
"""The first message of the event socket to a new subscriber, which gets every event from then on."""

HANDSHAKE_LIMIT_SECONDS = 4.0
"""The time limit for a peer's handshake; libzmq's own limit is 30 s."""

_encoder = msgspec.msgpack.Encoder()


class MalformedMessage(Exception):
    """Raised for bytes that can't be decoded as the declared type."""


@cache
def _decoder(type_: type[Any]) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(type_)


def pack(value: msgspec.Struct) -> bytes:
    """Return the struct as MessagePack."""
    return _encoder.encode(value)


def unpack(data: bytes, type_: type[S]) -> S:
    """Return the struct in `data`. Raises MalformedMessage if it isn't exactly a `type_`."""
    try:
        value: S = _decoder(type_).decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedMessage(str(error)) from None
    return value


def prepare_socket(socket: zmq.Socket[Any], max_frame: int) -> None:
    """Set limits and heartbeats, the same for both ends; `max_frame` is the largest accepted frame, in bytes.

    Without heartbeats, a peer that was stopped or unplugged would never be noticed; without MAXMSGSIZE, one frame could
    fill the memory.
    """
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.MAXMSGSIZE, max_frame)
    socket.setsockopt(zmq.HANDSHAKE_IVL, round(HANDSHAKE_LIMIT_SECONDS * 1000))
    socket.setsockopt(zmq.HEARTBEAT_IVL, 2000)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 6000)
    socket.setsockopt(zmq.HEARTBEAT_TTL, 8000)

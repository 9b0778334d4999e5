"""The wire format: packing of structs, size limits, and the options of every socket.

Structs are packed as MessagePack by msgspec and decoded against a declared type; there is no pickle and no eval. The
node and its clients must use the same sizes and intervals, so these are defined only here.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import msgspec
import zmq

from .clip import clip

S = TypeVar("S", bound=msgspec.Struct)

MAX_REQUEST_BYTES = 1 << 20
"""The size limit, in bytes, of a frame that a node accepts; libzmq disconnects a peer that sends a larger frame."""

MAX_REPLY_BYTES = 64 << 20
"""The size limit, in bytes, of a frame that a client accepts; a snapshot of 100,000 processes is smaller."""

MAX_ERROR_CHARACTERS = 300
"""The reason why a message can't be decoded is cut to this many characters, because it may repeat the sender's values.
"""

UPLOAD_CHUNK_BYTES = 256 * 1024
"""The size, in bytes, of one chunk of an upload."""

HANDSHAKE_LIMIT_SECONDS = 4.0
"""The time limit for a peer's handshake; libzmq's own limit is 30 s."""

HEARTBEAT_SECONDS = 2.0
"""The time between two heartbeats of a client."""

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
        raise MalformedMessage(clip(str(error), MAX_ERROR_CHARACTERS)) from None
    return value


def prepare_socket(socket: zmq.Socket[Any], max_frame: int) -> None:
    """Set the limits of a socket, which are the same at both ends.

    `max_frame` is the largest accepted frame, in bytes. Without MAXMSGSIZE, one frame could fill the memory.
    """
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.MAXMSGSIZE, max_frame)
    socket.setsockopt(zmq.HANDSHAKE_IVL, round(HANDSHAKE_LIMIT_SECONDS * 1000))


def send_heartbeats(socket: zmq.Socket[Any]) -> None:
    """Let a client's socket send heartbeats. So the node and the client notice if the other one doesn't answer.

    Each heartbeat has the time for which the client may be silent before the node closes the connection. The node's
    socket sends no heartbeats. If it did, libzmq's heartbeat timer would abort the process when a peer disconnects
    while messages of this peer wait to be received.
    """
    socket.setsockopt(zmq.HEARTBEAT_IVL, round(HEARTBEAT_SECONDS * 1000))
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 6000)
    socket.setsockopt(zmq.HEARTBEAT_TTL, 8000)

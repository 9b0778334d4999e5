"""The seam between a node and its gateway: all messages that cross it, and how they are framed.

The two OS processes share a pair of connected Unix stream sockets. A message begins with its length in four bytes
(big-endian). One MessagePack array follows: the number of the message's type, then its fields in order. Each end first
sends a `SeamHello`, whose form never changes, and refuses any version other than its own.

The gateway keeps no state of the node. No message depends on an earlier message, so a node that takes over the seam
needs no history. Clients are identified by their routing ids, which libzmq assigns and never uses twice.
"""

from __future__ import annotations

import socket
from typing import Final, Generic, TypeAlias, TypeVar

import msgspec

from node_runtime.protocol.key_ring import KeyRing
from node_runtime.protocol.wire import MAX_REPLY_BYTES

from .limits import GatewayLimits

SEAM_VERSION: Final = 2
"""The version of the seam; it grows with every change of a message or of its meaning."""
MAX_SEAM_MESSAGE_BYTES: Final = MAX_REPLY_BYTES + 64 * 1024
"""The maximum size of a message. The largest message contains the largest reply that a client accepts."""
READ_BYTES: Final = 256 * 1024
"""Bytes that one read takes from the socket at most."""
_LENGTH_BYTES: Final = 4

RoutingId: TypeAlias = bytes


class SeamError(Exception):
    """Raised when the other end has another version, or sends something that is not a message of the seam."""


class SeamClosed(SeamError):
    """Raised when the other end has closed the seam."""


class SeamMessage(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The base class of all messages that cross the seam."""


class SeamHello(SeamMessage, frozen=True, tag=0):
    """The first message that each end sends."""

    version: int


# ---------------------------------------------------------------------- from the node to the gateway


class Configure(SeamMessage, frozen=True, tag=1):
    """Listen on `host` and `port` (0 chooses a free port) with the node's secret key.

    `ring` has the keys of the clients that may connect. The answer is `Listening` or `CannotListen`.
    """

    host: str
    port: int
    secret_key: bytes
    ring: KeyRing
    limits: GatewayLimits


class KnownKeys(SeamMessage, frozen=True, tag=2):
    """From now on, only the keys of `ring` may connect, and clients with other keys get no events any more.

    Such a client stays connected: the node refuses its next request, and says why.
    """

    ring: KeyRing


class Deliver(SeamMessage, frozen=True, tag=3):
    """Send `body` to one client."""

    routing_id: RoutingId
    body: bytes


class Announce(SeamMessage, frozen=True, tag=4):
    """Send `body` to all subscribers. A subscriber that does not read misses it."""

    body: bytes


class Subscribe(SeamMessage, frozen=True, tag=5):
    """Make the client a subscriber until it disconnects."""

    routing_id: RoutingId


class Unsubscribe(SeamMessage, frozen=True, tag=6):
    """Send no more events to the client."""

    routing_id: RoutingId


class Drop(SeamMessage, frozen=True, tag=7):
    """Close the client's connection."""

    routing_id: RoutingId


class StopGateway(SeamMessage, frozen=True, tag=8):
    """Send the pending messages, close all connections, and end."""


class Ping(SeamMessage, frozen=True, tag=9):
    """Answer with `Pong`, which shows that the gateway still works."""


# ---------------------------------------------------------------------- from the gateway to the node


class Listening(SeamMessage, frozen=True, tag=20):
    """The gateway listens on `port`, and has refused a connection with an unknown key."""

    port: int


class CannotListen(SeamMessage, frozen=True, tag=21):
    """The gateway can't listen, and ends. `sentence` names the cause and the remedy."""

    sentence: str


class Received(SeamMessage, frozen=True, tag=22):
    """A client's request. `key` is the public key that authenticated the client; `address` is its IP address."""

    routing_id: RoutingId
    key: bytes
    address: str
    body: bytes


class Gone(SeamMessage, frozen=True, tag=23):
    """A client that has sent requests has disconnected, or was dropped."""

    routing_id: RoutingId


class LoginsRefused(SeamMessage, frozen=True, tag=24):
    """`count` connections from `address` were refused because their key, `key`, is not valid.

    Sent for a few addresses and keys, at most ten times a second. An empty address means all other addresses, and an
    empty key all other keys.
    """

    address: str
    key: bytes
    count: int


class GatewayReport(SeamMessage, frozen=True, tag=25):
    """A sentence about limits that were reached since the last report."""

    sentence: str


class Pong(SeamMessage, frozen=True, tag=26):
    """The answer to a `Ping`."""


FromNode: TypeAlias = (
    SeamHello | Configure | KnownKeys | Deliver | Announce | Subscribe | Unsubscribe | Drop | StopGateway | Ping
)
FromGateway: TypeAlias = SeamHello | Listening | CannotListen | Received | Gone | LoginsRefused | GatewayReport | Pong

In = TypeVar("In")


class Seam(Generic[In]):
    """One end of the seam, over the socket `connection`. `incoming` is the type of received messages. Never blocks."""

    def __init__(self, connection: socket.socket, incoming: object) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[In] = msgspec.msgpack.Decoder(incoming)
        self._chunk = memoryview(bytearray(READ_BYTES))
        self._unread = bytearray()
        self._unsent = bytearray()
        self.put(SeamHello(SEAM_VERSION))
        self._greeted = False

    def fileno(self) -> int:
        """Return the descriptor of the socket."""
        return self._socket.fileno()

    @property
    def unsent(self) -> int:
        """The number of queued bytes that can be sent only when the other end reads."""
        return len(self._unsent)

    def put(self, message: SeamMessage) -> None:
        """Queue a message, which the next `flush` sends."""
        start = len(self._unsent)
        self._unsent += b"\0" * _LENGTH_BYTES
        self._encoder.encode_into(message, self._unsent, -1)
        size = len(self._unsent) - start - _LENGTH_BYTES
        self._unsent[start : start + _LENGTH_BYTES] = size.to_bytes(_LENGTH_BYTES, "big")

    def flush(self) -> None:
        """Send as much as the other end takes now. Raises SeamError if that end has closed the seam."""
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent)
            except BlockingIOError:
                return
            except OSError as error:
                raise SeamClosed(f"the other end has closed the connection ({error.strerror})") from None
            del self._unsent[:sent]

    def take(self) -> list[In]:
        """Return the messages that have arrived. Raises SeamError, also at the end of the stream."""
        try:
            size = self._socket.recv_into(self._chunk)
        except BlockingIOError:
            return []
        except OSError as error:
            raise SeamClosed(f"the other end has closed the connection ({error.strerror})") from None
        if not size:
            raise SeamClosed("the other end has closed the connection")
        if not self._unread:
            messages, used = self._split(self._chunk[:size])
            self._unread += self._chunk[used:size]
        else:
            self._unread += self._chunk[:size]
            with memoryview(self._unread) as unread:
                messages, used = self._split(unread)
            del self._unread[:used]
        return messages

    def _split(self, data: memoryview) -> tuple[list[In], int]:
        """Return the complete messages in `data`, and the number of bytes that they take."""
        messages: list[In] = []
        start = 0
        while (begin := start + _LENGTH_BYTES) <= len(data):
            size = int.from_bytes(data[start:begin], "big")
            if size > MAX_SEAM_MESSAGE_BYTES:
                raise SeamError(f"a message has {size:,} bytes (limit {MAX_SEAM_MESSAGE_BYTES:,})")
            if begin + size > len(data):
                break
            start = begin + size
            messages += self._decoded(data[begin:start])
        return messages, start

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def _decoded(self, body: memoryview) -> list[In]:
        """Return a list with the message, or an empty list if the message is the hello of the other end."""
        try:
            message = self._decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise SeamError(f"a message between the node and its gateway can't be decoded ({error})") from None
        if isinstance(message, SeamHello) is self._greeted:
            raise SeamError("the first message, and only the first, has to be a hello")
        if not isinstance(message, SeamHello):
            return [message]
        if message.version != SEAM_VERSION:
            raise SeamError(f"the other end uses protocol version {message.version}, and this end {SEAM_VERSION}")
        self._greeted = True
        return []

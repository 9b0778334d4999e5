"""The protocol of an open websocket, without I/O: converts bytes to messages, and messages to bytes.

The library `websockets` parses and makes the frames. No extension is negotiated, so no frame depends on earlier frames.
Therefore the state between any two bytes of a client can be exported: see `WireState`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

LENGTH_BYTES: Final = {126: 2, 127: 8}
"""The further bytes of a length in a frame's header, by the length in its second byte."""
HEADER_BYTES: Final = 2
MASK_BYTES: Final = 4

logger: Final = logging.getLogger("node_runtime.web.websockets")
logger.setLevel(logging.WARNING)  # the library reports each opening and closing as information


@dataclass(frozen=True, slots=True)
class WireState:
    """The state of an open websocket. `unfinished` are the bytes of a frame whose end hasn't arrived.

    If the last fragment of a message hasn't arrived, `opcode` and `fragments` are those of the message; otherwise,
    `opcode` is None.
    """

    max_message_bytes: int
    unfinished: bytes = b""
    opcode: int | None = None
    fragments: bytes = b""


class Wire:
    """An open websocket's protocol. `output` returns the bytes that the methods have produced."""

    __slots__ = ("_fragments", "_max_message_bytes", "_opcode", "_protocol", "_unfinished", "closed_by_client")

    def __init__(self, state: WireState) -> None:
        self._protocol = ServerProtocol(state=State.OPEN, max_size=state.max_message_bytes, logger=logger)
        self._max_message_bytes = state.max_message_bytes
        self._unfinished = bytearray()
        self._opcode: Opcode | None = None
        self._fragments = bytearray()
        self.closed_by_client: tuple[int, str] | None = None
        """The code and the reason of the client's close frame."""
        if state.opcode is not None:
            self.receive(Frame(Opcode(state.opcode), state.fragments, fin=False).serialize(mask=True))
        if state.unfinished:
            self.receive(state.unfinished)
        self._protocol.data_to_send()

    def export(self) -> WireState:
        """Return the state, from which another Wire continues with the next byte of the client."""
        opcode = None if self._opcode is None else int(self._opcode)
        return WireState(self._max_message_bytes, bytes(self._unfinished), opcode, bytes(self._fragments))

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent: no close frame was sent or received."""
        return self._protocol.state is State.OPEN

    @property
    def closed_by_us(self) -> tuple[int, str] | None:
        """The code and the reason of the close frame that was sent; None if none was sent."""
        sent = self._protocol.close_sent
        return None if sent is None else (sent.code, sent.reason)

    def output(self) -> list[bytes]:
        """Return what has to be written, in order. An empty entry is the end of the output."""
        return self._protocol.data_to_send()

    def receive(self, data: bytes) -> list[str | bytes]:
        """Parse bytes from the client, and return the messages that they complete. Pings are answered.

        Nothing that follows a text with invalid UTF-8 is a message.
        """
        protocol, unfinished = self._protocol, self._unfinished
        protocol.receive_data(data)
        unfinished += data
        messages: list[str | bytes] = []
        read = 0
        for frame in protocol.events_received():
            if isinstance(frame, Frame):
                length = unfinished[read + 1] & 0x7F
                read += HEADER_BYTES + LENGTH_BYTES.get(length, 0) + MASK_BYTES + len(frame.data)
                if not self._take(frame, messages):
                    break
        del unfinished[:read]
        if not self.is_open:
            unfinished.clear()
        return messages

    def _take(self, frame: Frame, messages: list[str | bytes]) -> bool:
        """Add the message that a frame completes. Return False if the frame was invalid."""
        match frame.opcode:
            case Opcode.TEXT | Opcode.BINARY if frame.fin:
                return self._complete(frame.opcode, frame.data, messages)
            case Opcode.TEXT | Opcode.BINARY:
                self._opcode = frame.opcode
                self._fragments += frame.data
            case Opcode.CONT:
                self._fragments += frame.data
                if frame.fin and self._opcode is not None:
                    opcode, data = self._opcode, bytes(self._fragments)
                    self._opcode = None
                    self._fragments.clear()
                    return self._complete(opcode, data, messages)
            case Opcode.CLOSE:
                received = self._protocol.close_rcvd
                assert received is not None
                self.closed_by_client = (received.code, received.reason)
            case Opcode.PING | Opcode.PONG:
                pass
        return True

    def _complete(self, opcode: Opcode, data: bytes | bytearray | memoryview, messages: list[str | bytes]) -> bool:
        if opcode is Opcode.BINARY:
            messages.append(bytes(data))
            return True
        try:
            messages.append(str(data, "utf-8"))
        except UnicodeDecodeError as error:
            if self.is_open:
                self._protocol.fail(CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}")
            return False
        return True

    def receive_end(self) -> None:
        """Note that the client sends no more bytes."""
        self._protocol.receive_eof()

    def send_text(self, text: str) -> None:
        """Send a text message. Raises UnicodeEncodeError for a lone surrogate."""
        self._protocol.send_text(text.encode())

    def send_bytes(self, data: bytes) -> None:
        """Send a binary message."""
        self._protocol.send_binary(data)

    def ping(self) -> None:
        """Send a ping, which the client has to answer."""
        self._protocol.send_ping(b"")

    def close(self, code: int, reason: str) -> None:
        """Begin the close handshake. Raises ValueError for a code or a reason that a close frame can't have."""
        self._protocol.send_close(code, reason)

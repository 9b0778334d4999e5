"""The bytes of a websocket: messages from any fragments, and a state that can be exported between any two bytes."""

from __future__ import annotations

import pytest
from websockets.frames import Frame, Opcode

from node_runtime.web.websockets.wire import Wire, WireState


def framed(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


BYTES = b"".join(
    (
        framed(Opcode.TEXT, "grün".encode()),
        framed(Opcode.TEXT, b"one ", fin=False),
        framed(Opcode.PING, b"alive?"),
        framed(Opcode.CONT, b"", fin=False),
        framed(Opcode.CONT, b"message"),
        framed(Opcode.BINARY, bytes(200)),
        framed(Opcode.PONG, b""),
        framed(Opcode.BINARY, bytes(70_000)),
        framed(Opcode.TEXT, b""),
    )
)
MESSAGES = ["grün", "one message", bytes(200), bytes(70_000), ""]
PONG = b"\x8a\x06alive?"


@pytest.mark.parametrize("size", [1, 3, 1000, len(BYTES)])
def test_messages_come_out_of_pieces_of_any_size_and_pings_are_answered(size: int) -> None:
    wire = Wire(WireState(1 << 20))
    messages: list[str | bytes] = []
    for at in range(0, len(BYTES), size):
        messages += wire.receive(BYTES[at : at + size])
    assert messages == MESSAGES
    assert b"".join(wire.output()) == PONG


def test_the_state_is_exported_between_any_two_bytes_and_continued_elsewhere() -> None:
    for at in (*range(300), *range(len(BYTES) - 20, len(BYTES))):
        first = Wire(WireState(1 << 20))
        before = first.receive(BYTES[:at])
        sent = b"".join(first.output())
        second = Wire(first.export())
        assert second.export() == first.export()
        assert before + second.receive(BYTES[at:]) == MESSAGES
        assert sent + b"".join(second.output()) == PONG


def test_a_length_in_more_bytes_than_it_needs_counts_as_it_is() -> None:
    long = b"\x81\xfe\x00\x02\x00\x00\x00\x00hi"
    wire = Wire(WireState(100))
    assert wire.receive(long + long[:5]) == ["hi"]
    assert wire.export().unfinished == long[:5]


def test_a_message_of_many_fragments_is_bounded_as_one_of_a_single_frame_is() -> None:
    wire = Wire(WireState(10))
    assert wire.receive(framed(Opcode.TEXT, b"123456", fin=False) + framed(Opcode.CONT, b"78901")) == []
    assert wire.closed_by_us is not None
    assert wire.closed_by_us[0] == 1009


def test_text_that_is_not_utf_8_closes_with_1007() -> None:
    wire = Wire(WireState(10))
    assert wire.receive(framed(Opcode.TEXT, b"1") + framed(Opcode.TEXT, b"\xff") + framed(Opcode.TEXT, b"2")) == ["1"]
    assert wire.closed_by_us is not None
    assert wire.closed_by_us[0] == 1007
    assert not wire.is_open

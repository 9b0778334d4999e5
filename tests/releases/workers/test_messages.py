"""The messages between workers: each fits into one atomic write to a pipe, and reads as it was written."""

from __future__ import annotations

import pytest

from node_runtime.releases.workers import At, Bad, Committed, Done, Go, Greeting, WorkerMessage, decode, encode
from node_runtime.releases.workers.messages import MAX_LINE_BYTES


@pytest.mark.parametrize(
    "message",
    [Greeting(), Go("a.2", "2.0", "ann", "a reason", 5.0, True), Committed(), At("2.0", 7), Done("a.2", "1.0", "no")],
)
def test_a_message_reads_as_it_was_written(message: WorkerMessage) -> None:
    assert decode(encode(message).encode()) == message


def test_a_field_that_a_later_runtime_has_added_is_ignored() -> None:
    assert decode(b'{"type":"At","vsn":"2.0","os_pid":7,"mood":"fine","version":2}') == At("2.0", 7, version=2)


@pytest.mark.parametrize("text", ["x" * 10_000, "\x01" * 10_000, "\N{GRINNING FACE}" * 10_000, "line\nline" * 2_000])
def test_a_long_text_is_clipped_to_one_line_that_a_pipe_takes_at_once(text: str) -> None:
    line = encode(Go(text, "2.0", text, text))
    assert "\n" not in line
    assert len(line.encode()) <= MAX_LINE_BYTES
    assert isinstance(decode(encode(Bad(text)).encode()), Bad)

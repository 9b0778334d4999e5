"""Recordings as files: bounded, private, readable after a crash, and harmless whoever has written them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from hotdash.cli import hotdash
from hotdash.messages import EventReceived, StateReceived
from hotdash.model.selection import ProcessKey
from hotdash.recording.file_format import FORMAT, MAX_FRAME_BYTES, VERSION, Record, RecordingHeader, zstd_module
from hotdash.recording.message_codec import UnknownRecord, decode, encode
from hotdash.recording.reader import Recording
from hotdash.recording.writer import RecordingWriter
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import Refused

BEGIN = 1_000_000.0


def event(seq: int, text: str = "fil.handler loaded") -> EventReceived:
    return EventReceived(m.NodeEvent(boot_id="b", seq=seq, at=BEGIN + seq, kind="module", text=text))


def write(path: Path, count: int = 20, *, max_bytes: int = 1 << 20, padding: int = 0) -> RecordingWriter:
    writer = RecordingWriter(path, "fil@127.0.0.1", BEGIN, max_bytes=max_bytes)
    for number in range(count):
        text = "".join(chr(0x4E00 + (number * 7919 + index * 104729) % 20000) for index in range(padding))
        record = encode(event(number, text), BEGIN + number)
        assert record is not None
        writer.add(record)
    writer.close()
    return writer


def frame(content: object) -> bytes:
    compressed: bytes = zstd_module().compress(msgspec.msgpack.encode(content))
    return compressed


def header(**change: object) -> RecordingHeader:
    return msgspec.structs.replace(RecordingHeader(FORMAT, VERSION, "fil@127.0.0.1", "0.1.0", BEGIN), **change)


def times(path: Path) -> list[float]:
    return [record.at - BEGIN for record in Recording(path).records(float("-inf"))]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "f.rec"
    write(path)
    recording = Recording(path)
    assert (recording.header.node, recording.note, recording.first, recording.last) == (
        "fil@127.0.0.1", "", BEGIN, BEGIN + 19,
    )  # fmt: skip
    assert [decode(record) for record in recording.records(BEGIN + 16)] == [event(17, ""), event(18, ""), event(19, "")]
    assert path.stat().st_mode & 0o777 == 0o600


def test_each_field_of_a_message_survives(tmp_path: Path) -> None:
    message = StateReceived(ProcessKey("b", 12), None, "The process is busy.")
    record = encode(message, BEGIN)
    assert record is not None
    assert decode(record) == message


def test_an_existing_file_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "f.rec"
    path.write_text("mine")
    with pytest.raises(Refused, match="exists; choose another file"):
        write(path)
    assert path.read_text() == "mine"


def test_a_recording_ends_at_its_limit_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "f.rec"
    writer = write(path, 200, max_bytes=20_000, padding=500)
    assert writer.ended.endswith("has reached its limit of 20000 bytes.")
    assert 10_000 < path.stat().st_size <= 20_000
    assert times(path) == [float(number) for number in range(len(times(path)))]


def test_a_truncated_recording_is_read_up_to_its_last_whole_frame(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.rec", tmp_path / "cut.rec"
    write(whole)
    content = whole.read_bytes()
    lengths = set()
    for size in range(len(content) // 2, len(content)):
        cut.write_bytes(content[:size])
        found = times(cut)
        assert found == [float(number) for number in range(len(found))]
        lengths.add(len(found))
        assert Recording(cut).note == "" or "the rest is not shown" in Recording(cut).note
    assert len(lengths) > 3


def test_a_damaged_recording_is_read_up_to_the_damage(tmp_path: Path) -> None:
    path = tmp_path / "f.rec"
    write(path)
    content = bytearray(path.read_bytes())
    content[-20:] = b"\xff" * 20
    path.write_bytes(bytes(content))
    assert "is damaged after" in Recording(path).note or "in the middle" in Recording(path).note
    assert times(path)[:3] == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no recording",
        frame([]),
        frame({"format": FORMAT}),
        frame([msgspec.structs.asdict(header(format="other"))]),
        zstd_module().compress(b"\x91" * 100_000),
    ],
)
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "f.rec"
    path.write_bytes(content)
    with pytest.raises(Refused, match="is not a recording of hotdash"):
        Recording(path)


def test_a_recording_of_another_version_is_refused_with_its_version(tmp_path: Path) -> None:
    path = tmp_path / "f.rec"
    path.write_bytes(frame([header(version=99)]))
    with pytest.raises(Refused, match="has version 99 of the format, and this hotdash reads version 1"):
        Recording(path)


def test_a_recording_without_records_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.rec"
    path.write_bytes(frame([header()]))
    with pytest.raises(Refused, match="is empty"):
        Recording(path)


def test_a_frame_that_decompresses_to_too_much_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "f.rec"
    good = frame([Record("EventReceived", BEGIN, msgspec.Raw(b"\x80"))])
    path.write_bytes(frame([header()]) + good + zstd_module().compress(bytes(MAX_FRAME_BYTES + 1)))
    assert f"has a frame of more than {MAX_FRAME_BYTES} bytes" in Recording(path).note
    assert times(path) == [0.0]


@pytest.mark.parametrize("at", [float("nan"), float("inf"), BEGIN - 5])
def test_records_out_of_order_are_damage(tmp_path: Path, at: float) -> None:
    path = tmp_path / "f.rec"
    records = [frame([Record("EventReceived", moment, msgspec.Raw(b"\x80"))]) for moment in (BEGIN, at)]
    path.write_bytes(frame([header()]) + b"".join(records))
    assert "is damaged" in Recording(path).note
    assert times(path) == [0.0]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("EventReceived", {"event": 3}),
        ("EventReceived", {}),
        ("Replayed", {"passed": []}),
        ("Message", {}),
        ("os.system", {"command": "true"}),
        ("dataclass", {}),
    ],
)
def test_a_record_that_is_no_message_of_the_link_is_not_decoded(kind: str, body: object) -> None:
    with pytest.raises(UnknownRecord):
        decode(Record(kind, BEGIN, msgspec.Raw(msgspec.msgpack.encode(body))))


def test_a_deeply_nested_record_is_not_decoded() -> None:
    with pytest.raises(UnknownRecord):
        decode(Record("EventReceived", BEGIN, msgspec.Raw(b"\x81\xa5event" + b"\x91" * 200_000 + b"\x01")))


def test_a_recording_can_be_printed_as_json_lines_without_control_characters(tmp_path: Path) -> None:
    path = tmp_path / "f.rec"
    writer = RecordingWriter(path, "fil@127.0.0.1", BEGIN, max_bytes=1 << 20)
    record = encode(event(1, "\x1b[31mred"), BEGIN)
    assert record is not None
    writer.add(record)
    writer.close()
    done = CliRunner().invoke(hotdash, ["replay", str(path), "-o", "json"])
    head, line = done.output.splitlines()
    assert json.loads(head)["node"] == "fil@127.0.0.1"
    assert json.loads(line)["event"]["text"] == "\x1b[31mred"
    assert "\x1b" not in done.output

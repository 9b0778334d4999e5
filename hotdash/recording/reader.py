"""Reads a recording, which may come from anybody: every size is limited, every record is checked, nothing is executed.

A file that ends in the middle of a frame, or is damaged there, is read up to that frame.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from node_runtime.protocol.clip import clip_path
from node_runtime.protocol.exit_codes import Refused

from .file_format import FORMAT, MAX_FRAME_BYTES, MAX_WINDOW_LOG, VERSION, Record, RecordingHeader, zstd_module

CHUNK_BYTES = 64 * 1024
MAX_FRAMES = 1_000_000
"""The maximum number of frames of a recording, which is enough for three weeks."""


@dataclass(frozen=True, slots=True)
class FramePosition:
    """The position of a frame in the file, and the times of the frame's first and last record."""

    offset: int
    size: int
    first: float
    last: float


class _BadFrame(Exception):
    """Raised where nothing more can be read; `args[0]` is a clause with the reason, or empty at the end of the file."""


class Recording:
    """A recording; `note` says what is missing at its end, or is empty."""

    def __init__(self, path: Path) -> None:
        """Read the whole file once, to find its frames. Raises Refused if the file is not a recording."""
        self._path = path
        self._zstd = zstd_module()
        self.note = ""
        self._frames: list[FramePosition] = []
        try:
            with path.open("rb") as file:
                self.header, offset = self._read_header(file)
                self._find_frames(file, offset)
        except OSError as error:
            raise Refused(f"The recording {clip_path(path)} can't be read: {error.strerror}.") from None
        if not self._frames:
            raise Refused(f"The recording {clip_path(path)} is empty: it ended before the first record.")

    @property
    def first(self) -> float:
        """The Unix time of the first record."""
        return self._frames[0].first

    @property
    def last(self) -> float:
        """The Unix time of the last record."""
        return self._frames[-1].last

    def records(self, after: float) -> Iterator[Record]:
        """Yield the records after this time, in their order."""
        begin = bisect_right([frame.last for frame in self._frames], after)
        with self._path.open("rb") as file:
            for position in self._frames[begin:]:
                file.seek(position.offset)
                try:
                    content, _ = self._decompress(file)
                    records = _decode(content, list[Record])
                except _BadFrame:  # the file has changed since it was opened
                    return
                yield from (record for record in records if record.at > after)

    def _read_header(self, file: BinaryIO) -> tuple[RecordingHeader, int]:
        not_one = f"{clip_path(self._path)} is not a recording of hotdash."
        try:
            content, size = self._decompress(file)
            header: RecordingHeader = _decode(content, list[RecordingHeader])[0]
        except (_BadFrame, IndexError):
            raise Refused(not_one) from None
        if header.format != FORMAT:
            raise Refused(not_one)
        if header.version != VERSION:
            raise Refused(
                f"{clip_path(self._path)} has version {header.version} of the format, and this hotdash reads version "
                f"{VERSION}; use the hotdash that has recorded it ({header.hotdash[:20]!r})."
            )
        return header, size

    def _find_frames(self, file: BinaryIO, offset: int) -> None:
        previous = float("-inf")
        while len(self._frames) < MAX_FRAMES:
            file.seek(offset)
            try:
                content, size = self._decompress(file)
                times = [record.at for record in _decode(content, list[Record])]
                if any(not previous <= at < float("inf") for at in times[:1]) or times != sorted(times):
                    raise _BadFrame("is damaged")
            except _BadFrame as end:
                if end.args[0]:
                    self.note = f"{clip_path(self._path)} {end.args[0]} after {offset} bytes; the rest is not shown."
                return
            if times:
                self._frames.append(FramePosition(offset, size, times[0], times[-1]))
                previous = times[-1]
            offset += size

    def _decompress(self, file: BinaryIO) -> tuple[bytes, int]:
        """Return the content of the frame at the file's position, and the size of the frame in the file."""
        options = {self._zstd.DecompressionParameter.window_log_max: MAX_WINDOW_LOG}
        decompressor = self._zstd.ZstdDecompressor(options=options)
        content, read = bytearray(), 0
        while not decompressor.eof:
            chunk = file.read(CHUNK_BYTES) if decompressor.needs_input else b""
            if decompressor.needs_input and not chunk:
                raise _BadFrame("ends in the middle of a record" if read else "")
            read += len(chunk)
            try:
                content += decompressor.decompress(chunk, max_length=MAX_FRAME_BYTES + 1 - len(content))
            except self._zstd.ZstdError:
                raise _BadFrame("is damaged") from None
            if len(content) > MAX_FRAME_BYTES:
                raise _BadFrame(f"has a frame of more than {MAX_FRAME_BYTES} bytes")
        return bytes(content), read - len(decompressor.unused_data)


def _decode(content: bytes, type_: Any) -> Any:
    try:
        return msgspec.msgpack.decode(content, type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _BadFrame("is damaged") from None

"""Writes a recording, whose size is bounded."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from node_runtime.protocol.clip import clip_path
from node_runtime.protocol.exit_codes import Refused

from .file_format import FORMAT, FRAME_BYTES, FRAME_SECONDS, VERSION, Record, RecordingHeader, zstd_module


class RecordingWriter:
    """A new file with mode 0600, because a recording has everything that the node showed. It never replaces a file.

    `ended` is the sentence that says why nothing is written any more, or empty.
    """

    def __init__(self, path: Path, node: str, started: float, *, max_bytes: int) -> None:
        """Create the file. Raises Refused if it exists or can't be created."""
        self.path = path
        self.ended = ""
        self._zstd = zstd_module()
        self._max_bytes = max_bytes
        self._written = 0
        self._records: list[Record] = []
        self._pending_bytes = 0
        self._frame_began = started
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise Refused(f"{clip_path(path)} exists; choose another file for the recording.") from None
        except OSError as error:
            raise Refused(f"The recording {clip_path(path)} can't be created: {error.strerror}.") from None
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        header = RecordingHeader(FORMAT, VERSION, node, version("hotdash"), started)
        self._write_frame([header])

    def add(self, record: Record) -> str:
        """Append a record. If the write fails or the file is full, end the recording, and return a sentence that says
        so.
        """
        if self.ended:
            return ""
        self._records.append(record)
        self._pending_bytes += len(bytes(record.body))
        if self._pending_bytes >= FRAME_BYTES or record.at - self._frame_began >= FRAME_SECONDS:
            self.flush()
        return self.ended

    def flush(self) -> None:
        """End the frame, so that a reader sees everything that was added."""
        if self._records and not self.ended:
            self._frame_began = self._records[-1].at
            self._write_frame(self._records)
        self._records, self._pending_bytes = [], 0

    def close(self) -> None:
        """Write the records that are not written yet, and close the file."""
        self.flush()
        self._file.close()

    def _write_frame(self, records: list[Any]) -> None:
        frame = self._zstd.compress(msgspec.msgpack.encode(records))
        if self._written + len(frame) > self._max_bytes:
            self.ended = f"The recording {clip_path(self.path)} has reached its limit of {self._max_bytes} bytes."
            return
        try:
            view = memoryview(frame)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            self.ended = f"The recording {clip_path(self.path)} has ended: it can't be written ({error.strerror})."
            return
        self._written += len(frame)

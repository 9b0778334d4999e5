"""Records the messages of a node link on their way to the dashboard."""

from __future__ import annotations

from collections.abc import Callable

from textual.message import Message

from .message_codec import encode
from .writer import RecordingWriter


class Recorder:
    """Writes each message with the time of `clock`. At the end of the recording, calls `on_end(why)` once."""

    def __init__(self, writer: RecordingWriter, clock: Callable[[], float], on_end: Callable[[str], object]) -> None:
        self._writer = writer
        self._clock = clock
        self._on_end = on_end

    def tap(self, post: Callable[[Message], object]) -> Callable[[Message], object]:
        """Return a function that records a message and then calls `post` with it."""

        def record_and_post(message: Message) -> object:
            self.record(message)
            return post(message)

        return record_and_post

    def record(self, message: Message) -> None:
        """Record a message, unless the recording has ended."""
        record = encode(message, self._clock())
        if record is not None and (ended := self._writer.add(record)):
            self._on_end(ended)

    def close(self) -> None:
        """Write the records that are not written yet, and close the file."""
        self._writer.close()

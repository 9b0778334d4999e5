"""The link to a recording: it posts what the link to the node posted, at the same times."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn, TypeVar

from textual.message import Message

from hotdash.messages import Replayed, RequestAnswered, StateReceived
from hotdash.model.view_state import DataNeeds
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.methods import Method
from node_runtime.protocol.wire import MalformedMessage, unpack

from .file_format import Record
from .message_codec import UnknownRecord, decode
from .reader import Recording
from .replay_clock import ReplayClock

P = TypeVar("P", bound=m.WireStruct)
R = TypeVar("R", bound=m.WireStruct)

POLL_SECONDS = 0.05
"""The maximum number of seconds between two reads of the clock, which may be paused or moved at any time."""


class ReplayLink:
    """A link with the interface of `NodeLink`. Calls `post` with each message of `recording` at the message's time."""

    live = False

    def __init__(self, recording: Recording, clock: ReplayClock, post: Callable[[Message], object]) -> None:
        self.recording = recording
        self.clock = clock
        self._post = post
        self._records: Iterator[Record] = iter(())
        self._next: Record | None = None
        self._states: dict[object, StateReceived] = {}
        self._answers: dict[tuple[str, bytes], bytes] = {}
        self._needs = DataNeeds()
        self._running: asyncio.Task[NoReturn] | None = None

    # -------------------------------------------------------------- the interface of a link

    def start(self) -> None:
        """Begin to post messages."""
        self._jump(self.clock.first)
        self._running = asyncio.create_task(self._run(), name="replay")

    async def close(self) -> None:
        """Post no more messages."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait((self._running,))

    def set_needs(self, needs: DataNeeds) -> None:
        """Set which data the open view needs. For another process, post its last state, or why none is known."""
        key = needs.process
        if key is not None and key != self._needs.process:
            missing = "The recording has no state of this process: another process was selected at this time."
            self._post(self._states.get(key, StateReceived(key, None, missing)))
        self._needs = needs

    def refresh(self) -> None:
        """Do nothing: a recording does not change."""

    async def request(self, method: Method[P, R], params: P | None = None, *, timeout: float = 10.0) -> R:
        """Return the node's last recorded answer, if the request changes nothing. Raises Refused otherwise."""
        if method.role == "operator" and not method.reads:
            raise Refused("This is a recording: nothing can be changed.")
        answer = self._answers.get((method.name, method.packed(params)))
        if answer is None:
            raise Refused("This is a recording; up to the time shown, it has no answer to this request.")
        try:
            return unpack(answer, method.result)
        except MalformedMessage:
            raise Refused("The recording has a damaged answer to this request.") from None

    async def stage(self, path: Path, progress: Callable[[int, int], None]) -> m.ReleaseInfo:
        """Raise Refused: no release can be staged in a recording."""
        raise Refused("This is a recording: no release can be staged.")

    # -------------------------------------------------------------- the replay

    def move_to(self, at: float) -> None:
        """Show the time `at`."""
        self.clock.move_to(at)
        self._jump(self.clock.time())

    def _jump(self, at: float) -> None:
        """Post a `Replayed` with all messages up to the time `at`, from which the dashboard rebuilds its display."""
        self._states.clear()
        self._answers.clear()
        self._records = self.recording.records(float("-inf"))
        self._advance()
        passed: list[tuple[float, Message]] = []
        while self._next is not None and self._next.at <= at:
            moment = self._next.at
            passed += [(moment, message) for message in self._take()]
        self._post(Replayed(tuple(passed)))

    async def _run(self) -> NoReturn:
        while True:
            while self._next is not None and self._next.at <= self.clock.time():
                for message in self._take():
                    self._post(message)
                await asyncio.sleep(0)
            await asyncio.sleep(POLL_SECONDS)

    def _take(self) -> list[Message]:
        """Return a list with the message of the next record, and go on. If the record can't be decoded, the list is
        empty.
        """
        messages: list[Message] = []
        with suppress(UnknownRecord):
            if self._next is not None:
                messages.append(decode(self._next))
        for message in messages:
            if isinstance(message, StateReceived):
                self._states[message.key] = message
            if isinstance(message, RequestAnswered):
                self._answers[message.method, message.params] = message.result
        self._advance()
        return messages

    def _advance(self) -> None:
        self._next = next(self._records, None)

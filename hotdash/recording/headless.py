"""Records what the dashboard's views show of a node, without showing a screen."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from textual.message import Message

from hotdash.messages import TreeReceived
from hotdash.model.selection import ProcessKey
from hotdash.model.view_state import DataNeeds
from hotdash.model.windows import TreeWindow
from hotdash.node_link import NodeLink
from node_runtime.protocol import messages as m
from node_runtime.protocol.run_directory import NodeAddress

from .recorder import Recorder
from .writer import RecordingWriter

STATE_SECONDS = 1.0
"""Seconds for which the state of one process is recorded; then the state of the next process is recorded."""
_WINDOW = m.TreeQuery(limit=500)
"""The part of the tree that is recorded."""
_STATEFUL = ("gen_server", "gen_statem")


class _TurnOfStates:
    """Chooses the process whose state is recorded: each named server and state machine in turn."""

    def __init__(self) -> None:
        self._last = 0
        self._window: TreeWindow | None = None

    def see(self, message: Message) -> None:
        """If the message has rows of the tree, store them."""
        if isinstance(message, TreeReceived):
            self._window = message.window

    def next(self) -> ProcessKey | None:
        """Return the next process, or None while none is known."""
        if self._window is None:
            return None
        rows = sorted(self._window.rows.values(), key=lambda one: one.pid)
        pids = [one.pid for one in rows if one.kind in _STATEFUL and one.name is not None]
        if not pids:
            return None
        self._last = next((pid for pid in pids if pid > self._last), pids[0])
        return ProcessKey(self._window.page.boot_id, self._last)


async def record_node(
    address: NodeAddress, writer: RecordingWriter, interrupted: asyncio.Event, duration: float | None
) -> str:
    """Record until `interrupted`, for `duration` seconds, or until the recording is full; return how it ended."""
    turn = _TurnOfStates()
    recorder = Recorder(writer, time.time, lambda _: interrupted.set())
    link = NodeLink(address, recorder.tap(turn.see))
    link.start()
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(duration):
                while not interrupted.is_set():
                    link.set_needs(DataNeeds(snapshots=True, process=turn.next(), old_code=True, tree=_WINDOW))
                    with suppress(TimeoutError):
                        await asyncio.wait_for(interrupted.wait(), STATE_SECONDS)
    finally:
        await link.close()
        recorder.close()
    return writer.ended or f"Recorded {address.name} into {writer.path}."

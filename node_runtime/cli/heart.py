"""The node's end of the pipe to its parent: that it lives, that it is ready, and how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

BEATS: Final = 1.0
"""Seconds between two beats."""

Farewell = Literal["stopped", "restart", "failed"]


class Heart:
    """Writes lines to `descriptor`; a node that has no parent has None, and its heart is mute.

    `on_orphaned` is called once when the parent is gone: then nobody would boot this node again.
    """

    def __init__(self, descriptor: int | None, on_orphaned: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._on_orphaned = on_orphaned
        if descriptor is not None:
            os.set_inheritable(descriptor, False)
            os.set_blocking(descriptor, False)

    async def beat(self, patience: float) -> None:
        """Beat for ever, from the event loop; `patience` is how many seconds of silence mean that it is stuck."""
        self._say(f"heart {patience:g}")
        while True:
            self._say("beat")
            await asyncio.sleep(min(BEATS, patience / 4))

    def ready(self, run_directory: Path) -> None:
        """Everything is started; the node's record stands in `run_directory`."""
        self._say(f"ready {run_directory.absolute()}")

    def phase(self, phase: str) -> None:
        """How far the operation is that the node carries out; empty when there is none. It writes on no disk."""
        self._say(f"phase {phase}")

    def farewell(self, word: Farewell, sentence: str = "") -> None:
        """The last word."""
        self._say(f"{word} {' '.join(sentence.split())}")
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _say(self, line: str) -> None:
        if self._descriptor is None:
            return
        try:
            with contextlib.suppress(BlockingIOError):  # the parent is stopped, and has more to read than it can hold
                os.write(self._descriptor, line.encode() + b"\n")
        except BrokenPipeError:
            os.close(self._descriptor)
            self._descriptor = None
            self._on_orphaned()

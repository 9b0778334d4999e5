"""The node's end of the pipe to its parent: sends heartbeats, and reports operations, readiness and the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

BEAT_SECONDS: Final = 1.0
"""The greatest number of seconds between two heartbeats."""

Ending = Literal["stopped", "restart", "failed"]


class Heartbeat:
    """Writes reports to the parent through the pipe `descriptor`; writes nothing if `descriptor` is None.

    When the parent has ended, `on_orphaned` is called once: without a parent, nothing would restart the node.
    """

    def __init__(self, descriptor: int | None, on_orphaned: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._on_orphaned = on_orphaned
        if descriptor is not None:
            os.set_inheritable(descriptor, False)
            os.set_blocking(descriptor, False)

    async def beat(self, silence_limit: float) -> None:
        """Send heartbeats for ever. The parent kills the node after `silence_limit` seconds without a heartbeat."""
        self._write(f"heart {silence_limit:g}")
        while True:
            self._write("beat")
            await asyncio.sleep(min(BEAT_SECONDS, silence_limit / 4))

    def ready(self, run_directory: Path) -> None:
        """Report that all applications are started, and that the node's record is in `run_directory`."""
        self._write(f"ready {run_directory.absolute()}")

    def phase(self, phase: str) -> None:
        """Report the phase of the running operation; empty if none runs. Nothing is written to disk."""
        self._write(f"phase {phase}")

    def trial(self, vsn: str) -> None:
        """Ask the parent to boot the release `vsn` next, once, although another release is permanent."""
        self._write(f"trial {vsn}")

    def end(self, ending: Ending, sentence: str = "") -> None:
        """Report how the node ends, and close the pipe."""
        self._write(f"{ending} {' '.join(sentence.split())}")
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _write(self, line: str) -> None:
        if self._descriptor is None:
            return
        try:
            with contextlib.suppress(BlockingIOError):  # the pipe is full because the parent is suspended
                os.write(self._descriptor, line.encode() + b"\n")
        except BrokenPipeError:
            os.close(self._descriptor)
            self._descriptor = None
            self._on_orphaned()

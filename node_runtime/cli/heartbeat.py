"""The node's end of the pipe to its parent: sends heartbeats, and reports operations, readiness and the node's end."""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

BEAT_SECONDS: Final = 1.0
"""The greatest number of seconds between two heartbeats."""
MAX_ADDRESSES: Final = 4
"""This number of addresses is reported to the parent."""
MAX_ADDRESS: Final = 120
"""A longer address, in characters, is not reported: a report must fit into one write to the pipe."""
RETRY_SECONDS: Final = 0.05
"""The time between two attempts to write a report that must not get lost."""

Ending = Literal["stopped", "restart", "failed"]


class Heartbeat:
    """Writes reports to the parent through the pipe `descriptor`; writes nothing if `descriptor` is None.

    When the parent has ended, `on_orphaned` is called once: without a parent, nothing would restart the node.
    """

    def __init__(self, descriptor: int | None, on_orphaned: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._on_orphaned = on_orphaned
        self._unsent: deque[str] = deque()
        if descriptor is not None:
            os.set_inheritable(descriptor, False)
            os.set_blocking(descriptor, False)

    async def beat(self, silence_limit: float) -> None:
        """Send heartbeats for ever. The parent kills the node after `silence_limit` seconds without a heartbeat."""
        self._write(f"heart {silence_limit:g}")
        while True:
            self._write("beat")
            await asyncio.sleep(min(BEAT_SECONDS, silence_limit / 4))

    def listens(self, addresses: Sequence[str], control: str) -> None:
        """Report where the node accepts clients: the addresses of its applications, and the control endpoint."""
        shown = [address for address in addresses if len(address) <= MAX_ADDRESS][:MAX_ADDRESSES]
        self._write(f"listens {json.dumps({'addresses': shown, 'control': control})}")

    def ready(self, run_directory: Path) -> None:
        """Report that all applications are started, and that the node's record is in `run_directory`."""
        self._write(f"ready {run_directory.absolute()}")

    def phase(self, phase: str) -> None:
        """Report the phase of the running operation; an empty `phase` means that no operation runs."""
        self._write(f"phase {phase}")

    def trial(self, vsn: str) -> None:
        """Ask the parent to boot the release `vsn` next, once, although another release is permanent."""
        self._write(f"trial {vsn}")

    def workers(self, count: int) -> None:
        """Report how many workers the node has in all; the parent starts the missing workers."""
        self._write(f"workers {count}")

    def current(self, vsn: str) -> None:
        """Report which release worker 1 runs; the other workers boot into it."""
        self._write_surely(f"current {vsn}")

    def restart_worker(self, number: int) -> None:
        """Ask the parent to restart another worker."""
        self._write_surely(f"restart-worker {number}")

    def mail(self, number: int, text: str) -> None:
        """Ask the parent to pass a line of text on to another worker."""
        self._write_surely(f"mail {number} {text}")

    def end(self, ending: Ending, sentence: str = "") -> None:
        """Report how the node ends, and close the pipe."""
        self._write(f"{ending} {' '.join(sentence.split())}")
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _write_surely(self, line: str) -> None:
        """Write a report that must not get lost, after earlier reports of this kind. If the pipe is full, try again."""
        if self._unsent or not self._write(line):
            self._unsent.append(line)
            if len(self._unsent) == 1:
                asyncio.get_running_loop().call_later(RETRY_SECONDS, self._write_unsent)

    def _write_unsent(self) -> None:
        while self._unsent and self._write(self._unsent[0]):
            self._unsent.popleft()
        if self._unsent:
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self._write_unsent)

    def _write(self, line: str) -> bool:
        """Write a report; return False if the pipe is full, because the parent is suspended."""
        if self._descriptor is None:
            return True
        try:
            os.write(self._descriptor, line.encode() + b"\n")
        except BlockingIOError:
            return False
        except BrokenPipeError:
            os.close(self._descriptor)
            self._descriptor = None
            self._on_orphaned()
        return True

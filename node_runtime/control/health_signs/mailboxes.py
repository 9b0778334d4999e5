"""Finds the mailboxes that grow."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from node_runtime.processes.process import Process
from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.protocol.messages import GrowingMailbox

MIN_WAITING: Final = 100
"""A mailbox with fewer messages is not reported."""
MAX_REPORTED: Final = 3
MIN_GROWTH: Final = 1.0
"""The growth, in messages per second, from which a mailbox is reported."""


class MailboxWatch:
    """Compares the lengths of long mailboxes between two measurements."""

    def __init__(self) -> None:
        self._before: dict[int, tuple[float, int]] = {}

    def measure(self, processes: Iterable[Process]) -> tuple[GrowingMailbox, ...]:
        """Return the mailboxes that have grown fastest since the last call."""
        now = time.monotonic()
        before, self._before = self._before, {}
        growing: list[GrowingMailbox] = []
        for process in processes:
            waiting = len(process.mail or ())
            if waiting < MIN_WAITING:
                continue
            pid = int(process.pid)
            self._before[pid] = (now, waiting)
            then, earlier = before.get(pid, (now - 1.0, 0))
            growth = (waiting - earlier) / max(now - then, 0.1)
            if growth >= MIN_GROWTH:
                name = None if process.name is None else shown(process.name)
                growing.append(GrowingMailbox(pid=pid, name=name, waiting=waiting, growth=growth))
        return tuple(sorted(growing, key=lambda one: one.growth, reverse=True)[:MAX_REPORTED])

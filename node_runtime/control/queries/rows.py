"""Rows of pages of processes.

The rows of earlier pages are kept, so that an answer has only the rows that have changed since the client's last page.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass
from time import monotonic
from typing import Final

from node_runtime.processes.process import Process
from node_runtime.protocol.messages import ProcessDetail, ProcessRow

from .activity import MIN_INTERVAL_SECONDS, Activity
from .membership import Membership
from .process_reader import ProcessReader
from .slices import sliced

MAX_ROWS: Final = 4000
"""The maximum number of rows that are kept."""


@dataclass(slots=True)
class _KeptRow:
    """A row, the generation in which it last changed, and the counters from which its next rates are computed."""

    row: ProcessRow
    generation: int
    at: float
    handled: int
    busy: float
    rate: float | None = None
    busy_share: float | None = None


class Rows:
    """Makes and keeps the rows of processes."""

    def __init__(self, reader: ProcessReader, membership: Membership, activity: Activity) -> None:
        self._reader = reader
        self._membership = membership
        self._activity = activity
        self._kept: OrderedDict[tuple[int, tuple[ProcessDetail, ...]], _KeptRow] = OrderedDict()
        self.generation = 0

    def changed(
        self, processes: list[Process], details: tuple[ProcessDetail, ...], since: int
    ) -> Generator[None, None, tuple[ProcessRow, ...]]:
        """Return the rows that have changed after the generation `since`; yield between short slices of the work."""
        self.generation += 1
        now = monotonic()
        found = []
        for process, due in sliced(processes, every=8):
            if due:
                yield
            kept = self._refreshed(process, details, now)
            if kept.generation > since:
                found.append(kept.row)
        while len(self._kept) > MAX_ROWS:
            self._kept.popitem(last=False)
        return tuple(found)

    def _refreshed(self, process: Process, details: tuple[ProcessDetail, ...], now: float) -> _KeptRow:
        key = (int(process.pid), details)
        kept = self._kept.get(key)
        handled, busy = process.handled, process.busy_seconds()
        if kept is None:
            row = self._row(process, details, None, None)
            kept = self._kept[key] = _KeptRow(row, self.generation, now, handled, busy)
            return kept
        self._kept.move_to_end(key)
        if (seconds := now - kept.at) >= MIN_INTERVAL_SECONDS:
            kept.rate, kept.busy_share = (handled - kept.handled) / seconds, max(0.0, (busy - kept.busy) / seconds)
            kept.at, kept.handled, kept.busy = now, handled, busy
        row = self._row(process, details, kept.rate, kept.busy_share)
        if row != kept.row:
            kept.row, kept.generation = row, self.generation
        return kept

    def _row(
        self, process: Process, details: tuple[ProcessDetail, ...], rate: float | None, busy: float | None
    ) -> ProcessRow:
        measured = self._activity.rates.get(process.pid) if self._activity.fresh else None
        if measured is not None:
            rate, busy = measured
        below = self._membership.below.get(process.pid)
        links = self._reader.relations(process) if "links" in details else {}
        return ProcessRow(
            **self._reader.fields(process),
            **links,
            rate=None if rate is None else round(rate, 2),
            busy=None if busy is None or process.kind == "task" else round(busy, 4),  # a task has no callbacks
            arguments=self._reader.arguments(process) if "arguments" in details else "",
            children=len(below) if below else 0,
        )

"""The rates of processes: messages per second, and the share of the time spent in callbacks.

All processes are read by functions in C: two lists of 100,000 counters are compared in a few milliseconds, and only
the processes whose counter has changed are examined. While the node handles no message, nothing is read.
"""

from __future__ import annotations

from collections.abc import Generator
from itertools import compress
from operator import attrgetter, is_not
from time import monotonic
from typing import Final, NamedTuple

from node_runtime.processes.process import Process
from node_runtime.processes.runtime import Runtime

from .membership import Membership
from .slices import Repetition, sliced

MIN_INTERVAL_SECONDS: Final = 0.5
"""The shortest interval over which a rate is measured; shorter intervals give mostly noise."""
MAX_INTERVAL_SECONDS: Final = 60.0
"""If the last reading is older than this, the rates are known only after the next reading."""
MAX_KNOWN: Final = 20_000
"""The maximum number of processes whose time in callbacks is remembered."""
CHUNK: Final = 10_000
"""The number of processes whose counters are read without a pause."""
_HANDLED: Final = attrgetter("handled")


class Rate(NamedTuple):
    """Messages per second, and the share of the time in callbacks."""

    messages: float
    busy: float


IDLE: Final = Rate(0.0, 0.0)


class Activity:
    """The rates of all processes between the last two readings. `rates` has only the processes that did something."""

    def __init__(self, runtime: Runtime, membership: Membership) -> None:
        self._runtime = runtime
        self._membership = membership
        self._repetition = Repetition()
        self._read_at = 0.0
        self._handled_by_all = -1
        self._processes: list[Process] = []
        self._handled: list[int] = []
        self._spent: dict[int, float] = {}
        self.rates: dict[int, Rate] = {}
        self.version = 0

    @property
    def fresh(self) -> bool:
        """Whether the last reading was less than 3 seconds ago."""
        return bool(self._processes) and monotonic() - self._read_at < 3.0

    def refresh(self) -> Generator[None, None, None]:
        """Measure the rates since the last reading, unless that reading was just now."""
        now = monotonic()
        if now - self._read_at < MIN_INTERVAL_SECONDS or not self._repetition.due:
            return
        handled_by_all = self._runtime.handled
        if handled_by_all == self._handled_by_all and not self.rates and self._read_at:
            self._read_at = now
            return
        yield from self._repetition.run(self._read(now))
        self._handled_by_all = handled_by_all

    def forget_if_unused(self, seconds: float) -> None:
        """Forget the processes if no client has asked for rates for `seconds` seconds."""
        if monotonic() - self._read_at > seconds:
            self._processes, self._handled, self.rates = [], [], {}
            self._read_at, self._handled_by_all = 0.0, -1

    def drop_ended(self) -> None:
        """Forget the processes that have ended since the last reading."""
        left = [pair for pair in zip(self._processes, self._handled, strict=True) if self._membership.alive(pair[0])]
        self._processes, self._handled = [process for process, _ in left], [handled for _, handled in left]

    def _read(self, now: float) -> Generator[None, None, None]:
        processes = list(self._membership.processes)
        handled: list[int] = []
        for begin in range(0, len(processes), CHUNK):
            handled.extend(map(_HANDLED, processes[begin : begin + CHUNK]))
            yield
        seconds = now - self._read_at
        known = (yield from self._known(processes)) if self._read_at and seconds < MAX_INTERVAL_SECONDS else []
        rates: dict[int, Rate] = {}
        for begin in range(0, len(known), CHUNK):
            end = begin + CHUNK
            moved = list(map(is_not, handled[begin:end], known[begin:end]))
            columns = (compress(column[begin:end], moved) for column in (processes, handled, known))
            for (process, after, before), due in sliced(zip(*columns, strict=True)):
                if due:
                    yield
                busy = process.busy_seconds()
                busy_before, self._spent[process.pid] = self._spent.get(process.pid, busy), busy
                if before is not None and after > before:
                    share = max(0.0, (busy - busy_before) / seconds)
                    rates[process.pid] = Rate((after - before) / seconds, share)
            yield
        if len(self._spent) > MAX_KNOWN:
            self._spent = {pid: self._spent[pid] for pid in rates}
        self._processes, self._handled = processes, handled
        self.rates, self._read_at = rates, now
        self.version += 1

    def _known(self, processes: list[Process]) -> Generator[None, None, list[int | None]]:
        """Return the counter of each process at the last reading; None for a process that is new."""
        if processes == self._processes:
            return list(self._handled)
        known: list[int | None] = []
        at, before = 0, self._processes
        for process, due in sliced(processes):
            if due:
                yield
            while at < len(before) and before[at].pid < process.pid:
                at += 1
            known.append(self._handled[at] if at < len(before) and before[at] is process else None)
        return known

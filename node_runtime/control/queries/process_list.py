"""The processes that match a filter, in an order. The list is kept between two requests, and brought up to date."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Generator
from operator import attrgetter
from time import monotonic
from typing import Final

from node_runtime.processes.process import Process
from node_runtime.protocol.messages import ProcessOrder

from .membership import Membership
from .orders import CHANGING_ORDERS, OrderedProcesses, Orders
from .process_filter import ProcessFilter
from .slices import Repetition

MAX_REMOVED_ONE_BY_ONE: Final = 50
_PID: Final = attrgetter("pid")


class MatchingProcesses:
    """The processes that match `filter`, in the order of their pids."""

    def __init__(self, filter: ProcessFilter, membership: Membership) -> None:
        self.filter = filter
        self._membership = membership
        self._repetition = Repetition()
        self._known_version = -1
        self._fixed: list[Process] | None = None
        self.processes: list[Process] = []
        self.version = 0
        """A number that grows whenever `processes` may have changed."""

    @property
    def age(self) -> float:
        """Seconds since the filter was last evaluated, or 0 if its answer can't have changed since."""
        return self._repetition.age if self.filter.changes else 0.0

    def only(self, processes: list[Process]) -> Generator[None, None, None]:
        """Consider only these processes, which are in the order of their pids."""
        self._fixed = yield from self.filter.select(processes)

    def refresh(self) -> Generator[None, None, None]:
        """Evaluate the filter for new processes, and if it `changes`, for all processes."""
        membership = self._membership
        if self._fixed is not None:
            self.processes, self.version = self._fixed, 1
            return
        if not self.filter.terms:
            self.processes, self.version = membership.processes, membership.version
            return
        changes = membership.changes_since(self._known_version)
        if changes is None or (self.filter.changes and self._repetition.due):
            version = membership.version
            found = yield from self._repetition.run(self.filter.select(list(membership.processes)))
            self.processes, self._known_version = found, version
            self.version += 1
            return
        for change in changes:
            self._remove(change.ended)
            for process in membership.of_pids(change.born):
                if self.filter.accepts(process):
                    insort(self.processes, process, key=_PID)
            self.version += 1
        self._known_version = membership.version

    def _remove(self, ended: set[int]) -> None:
        if len(ended) > MAX_REMOVED_ONE_BY_ONE:
            self.processes = [process for process in self.processes if process.pid not in ended]
            return
        for pid in ended:
            at = bisect_left(self.processes, pid, key=_PID)
            if at < len(self.processes) and self.processes[at].pid == pid:
                del self.processes[at]


class ProcessList:
    """The processes that match a filter, in the order `order`."""

    def __init__(self, matching: MatchingProcesses, order: ProcessOrder, orders: Orders) -> None:
        self.matching = matching
        self.ordered = OrderedProcesses([])
        self.used_at = 0.0
        self._order: ProcessOrder = order
        self._orders = orders
        self._repetition = Repetition()
        self._version = -1

    @property
    def age(self) -> float:
        """Seconds since the oldest part of the answer was made."""
        return max(self.matching.age, self._repetition.age if self._order in CHANGING_ORDERS else 0.0)

    def refresh(self) -> Generator[None, None, None]:
        """Bring the processes and their order up to date. If sorting takes long, the order is updated less often."""
        self.used_at = monotonic()
        yield from self.matching.refresh()
        matching = self.matching
        if self._order == "pid":
            self.ordered = OrderedProcesses(matching.processes)
            return
        outdated = self._version != matching.version or self._order in CHANGING_ORDERS
        if self._version < 0 or (outdated and self._repetition.due):
            version = matching.version
            self.ordered = yield from self._repetition.run(self._orders.sort(list(matching.processes), self._order))
            self._version = version

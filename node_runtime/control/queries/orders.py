"""Orders of processes.

Some numbers are 0 for most processes, such as messages per second. A list in the order of such a number begins with the
few processes whose number is not 0, and only these are sorted. All other processes follow in the order of their pids.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Generator
from operator import attrgetter
from typing import Any, Final

from node_runtime.processes.process import Process
from node_runtime.protocol.escape import escape
from node_runtime.protocol.messages import ProcessOrder

from .activity import IDLE, Activity
from .process_reader import ProcessReader, shown_name, state_name
from .slices import sliced, sort_in_slices

RATE_ORDERS: Final = frozenset({"rate", "busy"})
CHANGING_ORDERS: Final = frozenset({"rate", "busy", "mail", "messages", "restarts", "state", "status"})
"""The orders that change while the processes stay the same."""
_PID: Final = attrgetter("pid")
_MAIL: Final = attrgetter("mail")
_STATUS_RANK: Final = {"zombie": 0, "suspended": 1, "running": 2, "idle": 3}

Key = Callable[[Process], Any]


class OrderedProcesses:
    """Processes in an order: first the processes in `first`, then the other processes of `all`, in the order of their
    pids.

    `pids` are the pids of the processes in `first`; they are not needed if `first` has all processes.
    """

    def __init__(
        self, all: list[Process], first: list[Process] | None = None, pids: frozenset[int] | set[int] = frozenset()
    ) -> None:
        self._all = all
        self._first = first or []
        self._pids = pids
        self._is_complete = len(self._first) == len(all) and bool(all)

    def __len__(self) -> int:
        return len(self._all)

    def page(self, offset: int, limit: int, *, reverse: bool) -> Generator[None, None, list[Process]]:
        """Return at most `limit` processes from `offset` on; yield between short slices of the work."""
        if reverse:
            end = len(self) - offset
            return (yield from self._slice(max(0, end - limit), max(0, end)))[::-1]
        return (yield from self._slice(offset, offset + limit))

    def index(self, pid: int, *, reverse: bool) -> Generator[None, None, int | None]:
        """Return the position of a process; None if it is not in the list. Yields between short slices of the work."""
        at = bisect_left(self._all, pid, key=_PID)
        if at == len(self._all) or self._all[at].pid != pid:
            return None
        position = 0
        if pid in self._pids or self._is_complete:
            for (number, process), due in sliced(enumerate(self._first)):
                if due:
                    yield
                if process.pid == pid:
                    position = number
                    break
        else:
            position = at + len(self._first)
            for one, due in sliced(self._pids):
                if due:
                    yield
                position -= one < pid
        return len(self) - 1 - position if reverse else position

    def _slice(self, begin: int, end: int) -> Generator[None, None, list[Process]]:
        page = self._first[begin:end]
        begin, end = max(0, begin - len(self._first)), end - len(self._first)
        if end <= 0 or self._is_complete:
            return page
        if not self._pids:
            return [*page, *self._all[begin:end]]
        skipped = 0
        for process, due in sliced(self._all):
            if due:
                yield
            if process.pid in self._pids:
                continue
            if skipped >= begin:
                page.append(process)
            skipped += 1
            if skipped >= end:
                break
        return page


class Orders:
    """Sorts processes."""

    def __init__(self, reader: ProcessReader, activity: Activity) -> None:
        self._reader = reader
        self._activity = activity

    def sort(self, processes: list[Process], order: ProcessOrder) -> Generator[None, None, OrderedProcesses]:
        """Return `processes`, which are in the order of their pids, in the order `order`."""
        if order == "pid":
            return OrderedProcesses(processes)
        few = yield from self._few(processes, order)
        first = yield from sort_in_slices(few, self._key(order))
        pids: set[int] = set()
        for process, due in sliced(first if len(first) < len(processes) else []):
            if due:
                yield
            pids.add(process.pid)
        return OrderedProcesses(processes, first, pids)

    def _few(self, processes: list[Process], order: ProcessOrder) -> Generator[None, None, list[Process]]:
        """Return the few processes that have to be sorted; all other processes come after them."""
        match order:
            case "rate" | "busy":
                found: list[Process] = []
                for pid, due in sliced(sorted(self._activity.rates)):
                    if due:
                        yield
                    at = bisect_left(processes, pid, key=_PID)
                    if at < len(processes) and processes[at].pid == pid:
                        found.append(processes[at])
                return found
            case "mail":
                return list(filter(_MAIL, processes))
            case "restarts" | "state":
                key = self._key(order)
                few = []
                for process, due in sliced(processes):
                    if due:
                        yield
                    value = key(process)
                    if value if order == "restarts" else value[0] == 0:
                        few.append(process)
                return few
            case _:
                return processes

    def _key(self, order: ProcessOrder) -> Key:
        reader, rates = self._reader, self._activity.rates
        keys: dict[ProcessOrder, Key] = {
            "pid": _PID,
            "name": lambda one: _words_last(None if one.name is None else shown_name(one.name)),
            "kind": lambda one: one.kind,
            "module": lambda one: escape(one.module),
            "application": lambda one: _words_last(reader.application(one)),
            "state": lambda one: _words_last(state_name(one)),
            "status": lambda one: _STATUS_RANK[one.status],
            "mail": lambda one: -len(one.mail or ()),
            "messages": lambda one: -one.handled,
            "rate": lambda one: -rates.get(one.pid, IDLE).messages,
            "busy": lambda one: -rates.get(one.pid, IDLE).busy,
            "restarts": lambda one: -self._restarts(one),
        }
        return keys[order]

    def _restarts(self, process: Process) -> int:
        child = self._reader.child(process)
        return 0 if child is None else child.restarts


def _words_last(text: str | None) -> tuple[int, str]:
    return (1, "") if text is None else (0, text)

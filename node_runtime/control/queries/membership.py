"""The processes that exist now, kept up to date by the runtime's events while somebody asks about them."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Generator, Iterable
from operator import attrgetter
from time import monotonic
from typing import Final, NamedTuple

from node_runtime.processes.messages import ProcessEvent
from node_runtime.processes.process import DEAD, Process
from node_runtime.processes.runtime import Runtime

from .slices import sliced

KEPT_SECONDS: Final = 15.0
"""If no client has asked for processes for this many seconds, the processes are forgotten."""
MAX_EVENTS: Final = 50_000
"""If more processes start and end between two questions of clients, all processes are read anew."""
MAX_CHANGES: Final = 64
"""The number of remembered changes, which bring an earlier answer up to date."""
_PID: Final = attrgetter("pid")


class MembershipChange(NamedTuple):
    """The change that led to one version of the membership: the pids of the added and of the removed processes.

    A process that gets another name is both in `born` and in `ended`.
    """

    version: int
    born: list[int]
    ended: set[int]


class Membership:
    """All processes in the order of their pids, and the processes below each process.

    The processes are known only while clients ask for them: `refresh` begins to follow the runtime's events, and if
    nobody has asked for KEPT_SECONDS, everything is forgotten. So a node that nobody inspects has no costs. Use this
    object on the event loop only. Without `follow`, the processes are read once, in any thread. `tidy` is called about
    every KEPT_SECONDS while the processes are known, and when they have been forgotten.
    """

    def __init__(self, runtime: Runtime, *, tidy: Callable[[], None], follow: bool = True) -> None:
        self._runtime = runtime
        self._follows = follow
        self._tidy = tidy
        self._events: deque[ProcessEvent] = deque(maxlen=MAX_EVENTS)
        self._unsubscribe: Callable[[], object] | None = None
        self._asked_at = 0.0
        self._zombies: set[int] = set()
        self._complete = False
        self.processes: list[Process] = []
        """All processes, zombies included, in the order of their pids."""
        self.below: dict[int, list[Process]] = {}
        """The processes that each pid has started, in the order of their pids. Some may have ended already."""
        self.users: dict[str, int] = {}
        """The number of processes of each module."""
        self.version = 0
        """A number that grows with every change of the processes or of their names."""
        self._changes: deque[MembershipChange] = deque(maxlen=MAX_CHANGES)

    def refresh(self) -> Generator[None, None, None]:
        """Bring everything up to date; yield to the event loop between short slices of the work."""
        self._asked_at = monotonic()
        if self._follows and self._unsubscribe is None:
            self._follow()
        if not self._complete or len(self._events) >= MAX_EVENTS:
            yield from self._read()
            return
        if self._events or self._zombies:
            self._apply()

    def drop_ended(self) -> None:
        """Drop the processes that have ended since the last question. Not to be called while `refresh` runs."""
        if self._complete and len(self._events) < MAX_EVENTS:
            self._apply()

    def changes_since(self, version: int) -> list[MembershipChange] | None:
        """Return the changes after a version, oldest first; None if they are not known any more."""
        if version == self.version:
            return []
        found = [change for change in self._changes if change.version > version]
        return found if len(found) == self.version - version else None

    def alive(self, process: Process) -> bool:
        """Return whether a process still exists; a zombie does."""
        return process.run_state is not DEAD or process.pid in self._runtime.zombies

    def _follow(self) -> None:
        self._unsubscribe = self._runtime.subscribe(self._events.append)
        self._runtime.loop.call_later(KEPT_SECONDS, self._forget_if_unused, context=self._runtime.context)

    def _forget_if_unused(self) -> None:
        left = self._asked_at + KEPT_SECONDS - monotonic()
        if left > 0:
            self._tidy()
            self._runtime.loop.call_later(left, self._forget_if_unused, context=self._runtime.context)
            return
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self._complete = False
        self.processes, self.below, self.users = [], {}, {}
        self._changes.clear()
        self._events.clear()
        self._tidy()

    def _read(self) -> Generator[None, None, None]:
        """Read all processes, then apply the events that have arrived meanwhile."""
        self._events.clear()
        self._complete = False
        runtime = self._runtime
        found = sorted([*list(runtime.processes.values()), *list(runtime.zombies.values())], key=_PID)
        below: dict[int, list[Process]] = {}
        users: dict[str, int] = {}
        for process, due in sliced(found):
            if due:
                yield
            below.setdefault(process.parent, []).append(process)
            users[process.module] = users.get(process.module, 0) + 1
        self.processes, self.below, self.users = found, below, users
        self._zombies = set(runtime.zombies)
        self._complete = True
        self._changes.clear()
        self.version += 1
        self._apply()

    def _apply(self) -> None:
        runtime = self._runtime
        born: dict[int, Process] = {}
        ended: set[int] = set()
        while self._events:
            event = self._events.popleft()
            pid = int(event.pid)
            if event.kind == "born":
                if (process := runtime.processes.get(pid)) is not None:
                    born[pid] = process
            elif event.kind == "registered":
                if (process := runtime.processes.get(pid)) is not None:
                    ended.add(pid)
                    born[pid] = process
            elif pid in runtime.zombies:
                self._zombies.add(pid)
            else:
                born.pop(pid, None)
                ended.add(pid)
        gone = {pid for pid in self._zombies if pid not in runtime.zombies}
        self._zombies -= gone
        ended |= gone
        if not (born or ended):
            return
        self._remove(ended)
        added = [pid for pid, process in born.items() if self._add(process)]
        self.version += 1
        self._changes.append(MembershipChange(self.version, added, ended))

    def _add(self, process: Process) -> bool:
        """Add a process; return False if `_read` has already read it together with all other processes."""
        at = bisect_left(self.processes, process.pid, key=_PID)
        if at < len(self.processes) and self.processes[at] is process:
            return False
        self.processes.insert(at, process)
        siblings = self.below.setdefault(process.parent, [])
        siblings.insert(bisect_left(siblings, process.pid, key=_PID), process)
        self.users[process.module] = self.users.get(process.module, 0) + 1
        return True

    def _remove(self, ended: set[int]) -> None:
        parents = set()
        removed = self.of_pids(ended)
        for process in removed:
            parents.add(process.parent)
            left = self.users.get(process.module, 0) - 1
            self.users[process.module] = max(left, 0)
        if len(removed) > 100:
            self.processes = [process for process in self.processes if process.pid not in ended]
        else:
            for process in removed:
                del self.processes[bisect_left(self.processes, process.pid, key=_PID)]
        for parent in parents:
            left_below = [process for process in self.below.get(parent, ()) if process.pid not in ended]
            if left_below:
                self.below[parent] = left_below
            else:
                self.below.pop(parent, None)

    def of_pids(self, pids: Iterable[int]) -> list[Process]:
        """Return the processes with these pids; a pid that no process has is left out."""
        found = []
        for pid in pids:
            at = bisect_left(self.processes, pid, key=_PID)
            if at < len(self.processes) and self.processes[at].pid == pid:
                found.append(self.processes[at])
        return found

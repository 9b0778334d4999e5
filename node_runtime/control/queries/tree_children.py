"""The children of a process in the tree, in the order of their child specifications."""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

from node_runtime.behaviours.upgrade.live_processes import Child, SupervisorProcess
from node_runtime.processes.process import Process
from node_runtime.processes.runtime import Runtime

from .membership import Membership
from .process_reader import table_of
from .slices import sliced, sort_in_slices


class TreeEntry(NamedTuple):
    """A process in the tree, or a child specification without a process."""

    process: Process | None
    child: Child | None
    supervisor: int = 0


class TreeChildren:
    """Finds the children of a process in the tree.

    The instances of a simple_one_for_one supervisor have no specifications of their own. They are shown in the order in
    which they were first seen, so that a restarted instance keeps its place.
    """

    def __init__(self, runtime: Runtime, membership: Membership) -> None:
        self._runtime = runtime
        self._membership = membership
        self._instances: dict[int, dict[int, Child]] = {}

    def of(self, process: Process, limit: int | None) -> Generator[None, None, tuple[list[TreeEntry], int]]:
        """Return at most `limit` children of a process, and the number of all its children."""
        below = self._membership.below.get(process.pid, [])
        table = table_of(process)
        if table is None:
            return [TreeEntry(one, None) for one in below[:limit] if self._membership.alive(one)], len(below)
        entries: list[TreeEntry] = []
        children = list(table.children.values()) if table.template is None else list(table.by_pid.values())
        if limit is None and table.template is not None:
            children = yield from self._in_first_order(process.pid, children)
        for child, due in sliced(children[:limit]):
            if due:
                yield
            running = None if child.pid is None else self._runtime.processes.get(child.pid)
            if running is not None or child.args is None:
                entries.append(TreeEntry(running, child, int(process.pid)))
        total = len(children)
        if len(below) > len(table.by_pid):  # the supervisor has started processes that are not its children
            others = [
                TreeEntry(one, None) for one in below if one.pid not in table.by_pid and self._membership.alive(one)
            ]
            entries, total = [*entries, *others], total + len(others)
        return entries, total

    def of_these(self, process: Process, wanted: list[Process]) -> Generator[None, None, list[TreeEntry]]:
        """Return entries for some of the children of a process, in the order of the specifications."""
        table = table_of(process)
        found: list[TreeEntry] = []
        for one, due in sliced(wanted):
            if due:
                yield
            child = None if table is None else table.by_pid.get(one.pid)
            found.append(TreeEntry(one, child, 0 if table is None else int(process.pid)))
        if table is None or not table.children:
            return found
        places: dict[str, int] = {}
        for id, due in sliced(list(table.children)):
            if due:
                yield
            places[id] = len(places)

        def place(entry: TreeEntry) -> int:
            return len(places) if entry.child is None else places.get(entry.child.spec.id, len(places))

        return (yield from sort_in_slices(found, place))

    def current(self, entry: TreeEntry) -> Process | None:
        """Return the present process of an entry. None if the child has no process now."""
        if entry.child is None:
            return entry.process
        return None if entry.child.pid is None else self._runtime.processes.get(entry.child.pid)

    def has_any(self, process: Process) -> bool:
        """Return whether a process has children, or child specifications."""
        if process.pid in self._membership.below:
            return True
        return isinstance(process, SupervisorProcess) and bool((table := table_of(process)) and table.children)

    def _in_first_order(self, supervisor: int, children: list[Child]) -> Generator[None, None, list[Child]]:
        known = self._instances.get(supervisor, {})
        present: dict[int, Child] = {}
        for child, due in sliced(children):
            if due:
                yield
            present[id(child)] = child
        ordered: dict[int, Child] = {}
        for key, due in sliced(known):
            if due:
                yield
            if present.get(key) is known[key]:
                ordered[key] = known[key]
        for key, due in sliced(present):
            if due:
                yield
            ordered.setdefault(key, present[key])
        self._instances[supervisor] = ordered
        return list(ordered.values())

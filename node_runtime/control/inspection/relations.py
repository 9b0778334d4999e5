"""Finds the processes that refer to a process, by reading all processes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Final

from node_runtime.control.queries.process_reader import table_of
from node_runtime.control.queries.slices import Repetition, sliced
from node_runtime.processes.process import Process
from node_runtime.processes.runtime import Runtime

MAX_KEPT: Final = 16
"""The maximum number of processes whose relations are kept, so that they need not be found for each answer."""


@dataclass(slots=True)
class Relations:
    """The pids of a process's children, of the processes that monitor it, and of the processes that await its reply or
    exit.
    """

    children: list[int] = field(default_factory=list)
    monitored_by: list[int] = field(default_factory=list)
    waited_by: list[int] = field(default_factory=list)


class RelationReader:
    """Reads relations in short slices of work. If there are very many processes, the relations are kept for a while."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._kept: OrderedDict[int, tuple[Repetition, Relations]] = OrderedDict()

    def read(self, process: Process) -> Generator[None, None, tuple[Relations, float]]:
        """Return the relations of a process, and their age in seconds."""
        repetition, kept = self._kept.get(process.pid, (Repetition(), Relations()))
        if not repetition.due:
            self._kept.move_to_end(process.pid)
            return kept, repetition.age
        found = yield from repetition.run(self._find(process))
        self._kept[process.pid] = repetition, found
        self._kept.move_to_end(process.pid)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return found, 0.0

    def _find(self, process: Process) -> Generator[None, None, Relations]:
        found, pid = Relations(), process.pid
        watched = bool(process.watchers)  # processes that monitor it are among its watchers
        for other, due in sliced([*list(self._runtime.processes.values()), *list(self._runtime.zombies.values())], 256):
            if due:
                yield
            if other.parent == pid:
                found.children.append(int(other.pid))
            if watched and (monitors := other.monitors) and any(one is process for one in list(monitors.values())):
                found.monitored_by.append(int(other.pid))
            if other.awaited_calls and any(one is process for one in list(other.waits_for())):
                found.waited_by.append(int(other.pid))
        found.children = _in_order_of_specifications(process, found.children)
        return found


def _in_order_of_specifications(process: Process, pids: list[int]) -> list[int]:
    """Return the pids of children in the order in which their supervisor starts them; other processes follow."""
    table = table_of(process)
    if table is None:
        return pids
    started = [int(pid) for child in list(table.children.values()) if (pid := child.pid) is not None]
    known = set(started)
    return [*started, *(pid for pid in pids if pid not in known)]

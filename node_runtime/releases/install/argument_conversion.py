"""Converts the arguments with which supervisors restart their children, if the arguments hold replaced code.

The default migration makes the new arguments. Right after the turn of the event loop that switches the code, a child
may be restarted. So the supervisors get the new arguments in the same turn. If the install fails, they get the same
argument objects back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from node_runtime.behaviours.upgrade.live_processes import RestartArguments, SupervisorProcess
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.messages import Blocker
from node_runtime.releases.migration import DefaultMigration
from node_runtime.releases.planning.conditions import process_label


class ArgumentConversion:
    """The new restart arguments of the supervisors whose pids are in `pids`. If `pids` is None: of all supervisors."""

    def __init__(self, pids: Iterable[int] | None) -> None:
        self._pids = None if pids is None else frozenset(pids)
        self._converted: list[tuple[RestartArguments, Any]] = []

    def prepare(self, default: Callable[[], DefaultMigration]) -> list[Blocker]:
        """Make the new arguments. Return a blocker for each supervisor whose arguments can't be converted."""
        self._converted, blockers = [], []
        for arguments in self._read():
            done = default().convert(arguments.values)
            if done.obstacles:
                process, obstacle = arguments.process, done.obstacles[0]
                reason = f"{process_label(process)} would restart a child with arguments that can't be converted "
                reason = f"{reason}to the new code: {obstacle.reason}"
                blockers.append(Blocker(reason=reason, remedy=obstacle.remedy, pid=int(process.pid), transient=True))
            elif done.value is not arguments.values:
                self._converted.append((arguments, done.value))
        return blockers

    def apply(self) -> None:
        """Give the supervisors their new arguments. Nothing else may have run since `prepare`. Can't fail."""
        for arguments, values in self._converted:
            arguments.replace(values)

    def put_back(self) -> None:
        """Give the supervisors their former arguments."""
        for arguments, _ in reversed(self._converted):
            arguments.put_back()
        self._converted = []

    def _read(self) -> list[RestartArguments]:
        processes = runtime().processes
        every = processes.values() if self._pids is None else map(processes.get, sorted(self._pids))
        return [
            RestartArguments(one) for one in every if isinstance(one, SupervisorProcess) and one.raw_state() is not None
        ]

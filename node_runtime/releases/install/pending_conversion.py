"""The conversion of queued messages, timers and postponed events that hold values of replaced classes.

The default migration makes the new values while the code is switched. The processes get these values when they resume,
so nothing has to be put back if the install fails.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any

from node_runtime.behaviours.upgrade.live_processes import PENDING_KINDS, Hold, PendingValues, pending_values
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.messages import Blocker
from node_runtime.releases.live_values import pending_remedy
from node_runtime.releases.migration import DefaultMigration
from node_runtime.releases.planning.conditions import process_label, runs_old_coroutine


class NotConvertible(Exception):
    """Raised if a value can't be converted after the code has been switched."""

    def __init__(self, blockers: Sequence[Blocker]) -> None:
        super().__init__(blockers[0].reason)


class PendingConversion:
    """The converted values of one run of a script. `modules` are the modules that the script loads or removes."""

    def __init__(self, modules: Container[str], hold: Hold) -> None:
        self._modules = modules
        self._hold = hold
        self._converted: list[tuple[PendingValues, Any]] = []

    def prepare(self, default: Callable[[], DefaultMigration], stopped: Container[int]) -> list[Blocker]:
        """Make the new values for all processes. Return a blocker for each process whose values can't be converted.

        `stopped` are the pids of the processes that the script stops. The values of these processes are not converted.
        """
        self._converted, blockers = [], []
        for pending in pending_values(runtime(), self._hold):
            process = pending.process
            if process.pid in stopped or runs_old_coroutine(process, self._modules):
                continue
            done = default().convert(pending.values)
            if done.obstacles:
                obstacle = done.obstacles[0]
                kind = PENDING_KINDS[int(obstacle.path[1])] if obstacle.path[1:2].isdigit() else "message"
                reason = f"{process_label(process)} has a {kind} that can't be converted: {obstacle.reason}"
                remedy = pending_remedy(process, obstacle)
                blockers.append(Blocker(reason=reason, remedy=remedy, pid=int(process.pid), transient=True))
            elif done.value is not pending.values:
                self._converted.append((pending, done.value))
        return blockers

    def apply(self) -> None:
        """Give the processes their new values. Nothing else may have run since `prepare`. Can't fail."""
        for pending, values in self._converted:
            pending.replace(values)
        self.drop()

    def drop(self) -> None:
        """Forget the new values."""
        self._converted = []

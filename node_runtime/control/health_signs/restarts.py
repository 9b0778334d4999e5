"""The supervisors that restart children, and how much of its restart intensity each of them has used."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from node_runtime.behaviours.upgrade.live_processes import ChildTable, SupervisorProcess
from node_runtime.processes.exit_log import Finished
from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol.messages import RestartingSupervisor

MAX_REPORTED: Final = 5
WINDOW_SECONDS: Final = 60.0
"""Failures of children are counted for this many seconds."""


class RestartWatch:
    """Knows since when each supervisor has restarted children again and again."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._since: dict[int, float] = {}

    def measure(self, supervisors: Iterable[SupervisorProcess]) -> tuple[RestartingSupervisor, ...]:
        """Return the supervisors whose children have failed in the last minute, those with the most failures first."""
        now = time.time()
        failed: dict[int, list[Finished]] = {}
        for ended in self._runtime.exit_log.failures():
            if now - WINDOW_SECONDS <= ended.ended <= now and ended.parent is not None:
                failed.setdefault(int(ended.parent), []).append(ended)
        self._since = {pid: self._since.get(pid, ends[0].ended) for pid, ends in failed.items()}
        if not failed:
            return ()
        found = [self._report(one, failed[int(one.pid)]) for one in supervisors if int(one.pid) in failed]
        reports = sorted((one for one in found if one is not None), key=lambda one: one.per_minute, reverse=True)
        return tuple(reports[:MAX_REPORTED])

    def _report(self, process: SupervisorProcess, ended: list[Finished]) -> RestartingSupervisor | None:
        table: ChildTable | None = process.raw_state()
        if table is None:
            return None
        begin = time.monotonic() - table.flags.period
        newest = ended[-1]
        return RestartingSupervisor(
            pid=int(process.pid),
            name=None if process.name is None else shown(process.name),
            used=sum(at >= begin for at in list(table.restarts)),
            intensity=table.flags.intensity,
            period=table.flags.period,
            per_minute=len(ended),
            child=shown(newest.name or f"{newest.module}:{newest.qualname}"),
            reason=shown(newest.reason),
            at=newest.ended,
            since=self._since[int(process.pid)],
        )

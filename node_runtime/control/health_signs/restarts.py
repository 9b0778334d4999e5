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


def restarting_supervisors(
    runtime: Runtime, supervisors: Iterable[SupervisorProcess]
) -> tuple[RestartingSupervisor, ...]:
    """Return the supervisors whose children have failed in the last minute, those with the most failures first."""
    now = time.time()
    failed: dict[int, list[Finished]] = {}
    for ended in runtime.exit_log.failures():
        if now - WINDOW_SECONDS <= ended.ended <= now and ended.parent is not None:
            failed.setdefault(int(ended.parent), []).append(ended)
    if not failed:
        return ()
    found = [_report(process, failed[int(process.pid)]) for process in supervisors if int(process.pid) in failed]
    reports = sorted((one for one in found if one is not None), key=lambda one: one.per_minute, reverse=True)
    return tuple(reports[:MAX_REPORTED])


def _report(process: SupervisorProcess, ended: list[Finished]) -> RestartingSupervisor | None:
    table: ChildTable | None = process.raw_state()
    if table is None:
        return None
    since = time.monotonic() - table.flags.period
    newest = ended[-1]
    return RestartingSupervisor(
        pid=int(process.pid),
        name=None if process.name is None else shown(process.name),
        used=sum(at >= since for at in list(table.restarts)),
        intensity=table.flags.intensity,
        period=table.flags.period,
        per_minute=len(ended),
        child=shown(newest.name or f"{newest.module}:{newest.qualname}"),
        reason=shown(newest.reason),
        at=newest.ended,
    )

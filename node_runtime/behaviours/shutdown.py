"""How a supervisor ends children: an order to shut down, a time limit, and the kill. Follows supervisor:shutdown/1."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from ..processes.errors import is_orderly
from ..processes.pid import Pid
from ..processes.process import DEAD, Process
from ..processes.runtime import runtime
from .child_spec import ChildSpec
from .supervision_reports import report_child


async def shut_down(supervisor: str, parent: Pid, spec: ChildSpec, pids: Iterable[Pid]) -> None:
    """End the processes, which all are children by `spec`; those that still run when the time is over are killed.

    They are told at once, by `parent`, their supervisor, and have one common time limit. It doesn't matter whether
    they are still linked.
    """
    node = runtime()
    processes = [process for pid in pids if (process := node.processes.get(pid)) is not None]
    if spec.shutdown != "brutal_kill":
        for process in processes:
            node.signal(process, parent, "shutdown")
        await _ends(processes, spec.shutdown if isinstance(spec.shutdown, float | int) else None)
    for process in processes:
        if process.gate is not DEAD:
            if spec.shutdown != "brutal_kill":
                report_child("not_in_time", supervisor, spec, process.pid, "killed")
            node.signal(process, parent, "kill")
        elif not is_orderly(process.reason):
            report_child("shutdown_error", supervisor, spec, process.pid, process.reason)


async def _ends(processes: list[Process], seconds: float | None) -> None:
    """Return when all have ended, or the time is over."""
    node = runtime()
    left = [process for process in processes if process.gate is not DEAD]
    if not left:
        return
    try:
        async with asyncio.timeout(seconds):
            for process in left:
                await node.until_ended(process)
    except TimeoutError:
        pass

"""How a supervisor ends children: an order to shut down, a time limit, and the kill. Follows supervisor:shutdown/1."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress

from node_runtime.processes.exit_reasons import is_orderly, reason_is
from node_runtime.processes.pid import Pid
from node_runtime.processes.process import DEAD, Process
from node_runtime.processes.runtime import runtime
from node_runtime.processes.wait_graph import ends_of

from .child_spec import ChildSpec
from .supervisor_reports import report_child


async def shut_down(
    supervisor: str, parent: Pid, spec: ChildSpec, pids: Iterable[Pid], gone: Mapping[int, object]
) -> None:
    """End the processes, which all are children by `spec`; those that still run when the time is over are killed.

    They are told at once, by `parent`, their supervisor, and have one common time limit. It doesn't matter whether
    they are still linked. `gone` has the reasons of those that have ended before.
    """
    node = runtime()
    processes: list[Process] = []
    for pid in pids:
        if (process := node.processes.get(pid)) is not None:
            processes.append(process)
        elif pid in gone:
            _report_end(supervisor, spec, pid, gone[pid])
    if spec.shutdown != "brutal_kill":
        for process in processes:
            node.signal(process, parent, "shutdown")
        if any(process.gate is not DEAD for process in processes):
            with suppress(TimeoutError):
                async with asyncio.timeout(spec.shutdown if isinstance(spec.shutdown, float | int) else None):
                    await ends_of(processes)
    for process in processes:
        if process.gate is DEAD:
            _report_end(supervisor, spec, process.pid, process.reason)
        else:
            if spec.shutdown != "brutal_kill":
                report_child("not_in_time", supervisor, spec, process.pid, "killed")
            node.signal(process, parent, "kill")


def _report_end(supervisor: str, spec: ChildSpec, pid: Pid, reason: object) -> None:
    """Say so if that is no end of a child that was told to shut down."""
    if not (reason_is(reason, "shutdown") or (is_orderly(reason) and spec.restart != "permanent")):
        report_child("shutdown_error", supervisor, spec, pid, reason)

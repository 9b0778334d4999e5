"""Shutdown of children: an exit signal, a time limit, and a kill. Follows supervisor:shutdown/1."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import assert_never

from node_runtime.processes.exit_reasons import is_orderly, reason_is
from node_runtime.processes.pid import Pid
from node_runtime.processes.process import DEAD, Process
from node_runtime.processes.runtime import runtime
from node_runtime.processes.wait_graph import wait_for_ends

from .child_spec import ChildSpec
from .supervisor_reports import report_child


async def shut_down_children(
    supervisor: str, parent: Pid, spec: ChildSpec, pids: Iterable[Pid], exit_reasons: Mapping[int, object]
) -> None:
    """Shut down children with the specification `spec`, and kill the children that exceed its time limit.

    The supervisor has the title `supervisor` and the pid `parent`. It sends the exit signals to all children at once,
    so the time limit applies to all of them together. The children need not be linked to the supervisor. `exit_reasons`
    has the exit reasons of children that have ended already, by pid.
    """
    node = runtime()
    processes: list[Process] = []
    for pid in pids:
        if (process := node.processes.get(pid)) is not None:
            processes.append(process)
        elif pid in exit_reasons:
            _report_end(supervisor, spec, pid, exit_reasons[pid])
    kill_at_once, seconds = _limit(spec)
    if not kill_at_once:
        for process in processes:
            node.signal(process, parent, "shutdown")
        if any(process.run_state is not DEAD for process in processes):
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await wait_for_ends(processes)
    for process in processes:
        if process.run_state is DEAD:
            _report_end(supervisor, spec, process.pid, process.reason)
        else:
            if not kill_at_once:
                report_child("not_in_time", supervisor, spec, process.pid, "killed")
            node.signal(process, parent, "kill")


def _limit(spec: ChildSpec) -> tuple[bool, float | None]:
    """Return whether the child is killed at once, and its time limit in seconds; None means no limit."""
    match spec.shutdown:
        case "brutal_kill":
            return True, None
        case "infinity" | None:
            return False, None
        case float() | int() as seconds:
            return False, seconds
        case _ as unknown:
            assert_never(unknown)


def _report_end(supervisor: str, spec: ChildSpec, pid: Pid, reason: object) -> None:
    """Report the exit of a child that was stopped, unless the exit was orderly."""
    if not (reason_is(reason, "shutdown") or (is_orderly(reason) and not spec.restarts_after(reason))):
        report_child("shutdown_error", supervisor, spec, pid, reason)

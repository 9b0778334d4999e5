"""Reports for which callbacks an install waits, before it can suspend the processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess
from node_runtime.releases.operation_progress import OperationProgress

REPORT_SECONDS: Final = 0.5
"""Callbacks that end sooner are not reported: a report takes time while other processes are suspended."""
MAX_NAMED: Final = 3
"""The maximum number of processes that the report names."""


@contextmanager
def busy_processes_reported(
    busy: Sequence[BehaviourProcess], progress: OperationProgress, seconds: float
) -> Iterator[None]:
    """Report, every REPORT_SECONDS, which of the processes are still in a callback. `seconds` is the time limit."""
    loop, until = asyncio.get_running_loop(), time.time() + seconds
    timer: asyncio.TimerHandle

    def report() -> None:
        nonlocal timer
        timer = loop.call_later(REPORT_SECONDS, report)
        clause = _clause([process for process in busy if process.in_callback()])
        if clause and progress.wait_for(clause, until):
            progress.report()

    timer = loop.call_later(REPORT_SECONDS, report)
    try:
        yield
    finally:
        timer.cancel()


def _callback(process: BehaviourProcess) -> str:
    name = process.current_callback()  # None in `terminate` and in callbacks that have no message
    return "a callback" if name is None else f"the callback {name}"


def _clause(busy: Sequence[BehaviourProcess]) -> str:
    named = [f"{_callback(process)} of {process.title()}" for process in busy[:MAX_NAMED]]
    more = [f"{len(busy) - MAX_NAMED} more"] if len(busy) > MAX_NAMED else []
    return ", ".join(named + more)

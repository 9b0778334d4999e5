"""What the node costs and how it feels: psutil's numbers of the OS process, and how late the event loop is."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import psutil

from node_runtime.behaviours.upgrade.live_processes import SupervisorProcess
from node_runtime.processes.process import Process
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol.messages import Vitals

SHORTEST: Final = 0.5
"""Seconds below which psutil's share of the CPU and our messages per second are mostly chance."""


class Meter:
    """Measures when `measure` is called, once a second, in the control thread; `latest` is what it found last."""

    def __init__(self, runtime: Runtime, loop: asyncio.AbstractEventLoop, started: float) -> None:
        self._runtime = runtime
        self._loop = loop
        self._started = started
        self._os_process = psutil.Process()
        self._os_process.cpu_percent(None)  # the first call only begins the measurement
        self._asked: float | None = None
        self._lag = 0.0
        self._cpu = self._rate = 0.0
        self._begun = (time.monotonic(), runtime.handled)
        self.latest = self._measure()

    def measure(self) -> Vitals:
        """The vitals now."""
        self.latest = self._measure()
        return self.latest

    def _measure(self) -> Vitals:
        process = self._os_process
        self._measure_rates()
        with process.oneshot():
            rss, threads, descriptors = process.memory_info().rss, process.num_threads(), process.num_fds()
        processes = list(self._runtime.processes.values())
        now = time.time()
        return Vitals(
            at=now,
            cpu_percent=self._cpu,
            rss=rss,
            threads=threads,
            descriptors=descriptors,
            loop_lag=self._loop_lag(),
            processes=len(processes),
            messages_per_second=self._rate,
            queued=sum(len(process.mail or ()) for process in processes),
            restarts=sum(_restarts(process) for process in processes),
            uptime=now - self._started,
        )

    def _measure_rates(self) -> None:
        """What is counted per second, over an interval that is long enough to mean something."""
        (then, before), now, handled = self._begun, time.monotonic(), self._runtime.handled
        if now - then >= SHORTEST:
            self._begun = (now, handled)
            self._cpu = self._os_process.cpu_percent(None)
            self._rate = max(0.0, (handled - before) / (now - then))

    def _loop_lag(self) -> float:
        """How long the loop took for the last thing that it was given; while it hasn't taken it, how long already."""
        if self._asked is not None:
            return time.monotonic() - self._asked
        self._asked = asked = time.monotonic()

        def taken() -> None:
            self._lag = time.monotonic() - asked
            self._asked = None

        try:
            self._loop.call_soon_threadsafe(taken)
        except RuntimeError:
            self._asked = None  # the loop has ended, and so will this thread
        return self._lag


def _restarts(process: Process) -> int:
    """How often a supervisor has restarted the children that it has."""
    table = process.raw_state() if isinstance(process, SupervisorProcess) else None
    return 0 if table is None else sum(child.restarts for child in list(table.children.values()))

"""The node's vitals: psutil's numbers of the OS process, message rates, and the lag of the event loop."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import psutil

from node_runtime.behaviours.upgrade.live_processes import SupervisorProcess
from node_runtime.processes.process import Process
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol.messages import Vitals

MIN_RATE_SECONDS: Final = 0.5
"""The shortest interval for CPU share and message rate; shorter ones give mostly noise."""


class VitalsMeter:
    """Measures the vitals. The control thread calls `measure` once a second; `latest` is the last result."""

    def __init__(self, runtime: Runtime, loop: asyncio.AbstractEventLoop, started: float) -> None:
        self._runtime = runtime
        self._loop = loop
        self._started = started
        self._os_process = psutil.Process()
        self._os_process.cpu_percent(None)  # the first call only starts the measurement
        self._lag_asked_at: float | None = None
        self._lag = 0.0
        self._cpu = self._rate = 0.0
        self._interval_start = (time.monotonic(), runtime.handled)
        self.latest = self._measure()

    def measure(self) -> Vitals:
        """Measure and return the vitals."""
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
        """Measure the rates per second, over an interval of at least `MIN_RATE_SECONDS`."""
        (then, before), now, handled = self._interval_start, time.monotonic(), self._runtime.handled
        if now - then >= MIN_RATE_SECONDS:
            self._interval_start = (now, handled)
            self._cpu = self._os_process.cpu_percent(None)
            self._rate = max(0.0, (handled - before) / (now - then))

    def _loop_lag(self) -> float:
        """Return how long the last test callback waited for the loop, or has waited so far if it still waits."""
        if self._lag_asked_at is not None:
            return time.monotonic() - self._lag_asked_at
        self._lag_asked_at = asked_at = time.monotonic()

        def on_loop() -> None:
            self._lag = time.monotonic() - asked_at
            self._lag_asked_at = None

        try:
            self._loop.call_soon_threadsafe(on_loop)
        except RuntimeError:
            self._lag_asked_at = None  # the loop has ended, and this thread will end too
        return self._lag


def _restarts(process: Process) -> int:
    """Return how often a supervisor has restarted its present children; 0 for other processes."""
    table = process.raw_state() if isinstance(process, SupervisorProcess) else None
    return 0 if table is None else sum(child.restarts for child in list(table.children.values()))

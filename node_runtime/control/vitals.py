"""The node's vitals: psutil's numbers of the OS process, message rates, and the lag of the event loop."""

from __future__ import annotations

import time
from operator import attrgetter
from typing import Final

import psutil

from node_runtime.behaviours.upgrade.live_processes import SupervisorProcess
from node_runtime.processes.process import Process
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol.messages import Vitals

from .health_signs.loop_watch import LoopWatch
from .health_signs.mailboxes import MIN_WAITING, MailboxWatch
from .health_signs.restarts import RestartWatch

_MAIL: Final = attrgetter("mail")
MIN_RATE_SECONDS: Final = 0.5
"""The shortest interval for CPU share and message rate; shorter intervals give mostly noise."""


class VitalsMeter:
    """Measures the vitals. The control thread calls `measure` once a second; `latest` is the last result."""

    def __init__(self, runtime: Runtime, watch: LoopWatch, started: float) -> None:
        self._runtime = runtime
        self._watch = watch
        self._mailboxes = MailboxWatch()
        self._restarts = RestartWatch(runtime)
        self._started = started
        self._os_process = psutil.Process()
        self._os_process.cpu_percent(None)  # the first call only starts the measurement
        self._cpu = self._rate = 0.0
        self._interval_start = (time.monotonic(), runtime.handled)
        self._known: tuple[int, int] | None = None
        self._supervisors: list[SupervisorProcess] = []
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
        self._find_supervisors(processes)
        now = time.time()
        queued = sum(map(len, filter(None, map(_MAIL, processes))))
        return Vitals(
            at=now,
            cpu_percent=self._cpu,
            rss=rss,
            threads=threads,
            descriptors=descriptors,
            loop_lag=self._watch.lag(),
            processes=len(processes),
            messages_per_second=self._rate,
            queued=queued,
            restarts=sum(map(_restarts, self._supervisors)),
            uptime=now - self._started,
            blocked=self._watch.blocked_in(),
            restarting=self._restarts.measure(self._supervisors),
            mailboxes=self._mailboxes.measure(processes if queued >= MIN_WAITING else ()),
        )

    def _find_supervisors(self, processes: list[Process]) -> None:
        """Find the supervisors, unless the processes are the same as before: as many, and with the same newest pid."""
        same = len(processes), processes[-1].pid if processes else 0
        if same != self._known:
            self._known = same
            self._supervisors = [one for one in processes if isinstance(one, SupervisorProcess)]

    def _measure_rates(self) -> None:
        """Measure the rates per second, over an interval of at least `MIN_RATE_SECONDS`."""
        (then, before), now, handled = self._interval_start, time.monotonic(), self._runtime.handled
        if now - then >= MIN_RATE_SECONDS:
            self._interval_start = (now, handled)
            self._cpu = self._os_process.cpu_percent(None)
            self._rate = max(0.0, (handled - before) / (now - then))


def _restarts(supervisor: SupervisorProcess) -> int:
    """Return how often a supervisor has restarted its present children."""
    table = supervisor.raw_state()
    return 0 if table is None else sum(child.restarts for child in list(table.children.values()))

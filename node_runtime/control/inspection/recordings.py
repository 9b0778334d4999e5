"""Logs and traces of single processes, which operators switch on for a while."""

from __future__ import annotations

import time
from collections import deque
from typing import Final

from node_runtime import sys
from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import ProcessTrace, RecordedEvent

MAX_LOGGED: Final = 50
"""The number of messages in a log."""
MAX_TRACED: Final = 200
"""The number of events of a trace that are kept, the newest."""
MAX_TRACE_SECONDS: Final = 300.0
MAX_TRACE_RATE: Final = 100
MAX_TRACES: Final = 10
"""The maximum number of processes that are traced, or whose last trace is kept."""
_TRACE_ID: Final = "node_runtime.control.trace"


class Trace:
    """The trace of one process. `sys.install` adds its method `take` to the process as a debug function."""

    def __init__(self, seconds: float, rate: int) -> None:
        self._rate = rate
        self._until = time.time() + seconds
        self._due = time.monotonic() + seconds
        self._second = 0
        self._in_second = 0
        self._left_out = 0
        self._events: deque[RecordedEvent] = deque(maxlen=MAX_TRACED)

    @property
    def running(self) -> bool:
        """Whether the trace still records events: its time has not passed yet."""
        return time.monotonic() < self._due

    def end(self) -> None:
        """End the trace now; its events stay."""
        self._until, self._due = min(self._until, time.time()), min(self._due, time.monotonic())

    def take(self, _: object, event: sys.SystemEvent) -> object:
        """Record an event. When the time of the trace has passed, return DONE, so that the process removes `take`."""
        if not self.running:
            return sys.DONE
        if int(event.at) != self._second:
            self._second, self._in_second = int(event.at), 0
        self._in_second += 1
        if self._in_second > self._rate:
            self._left_out += 1
        else:
            self._events.append(RecordedEvent(at=event.at, kind=event.kind, text=event.line()))
        return None

    def view(self) -> ProcessTrace:
        """Return the trace for display."""
        return ProcessTrace(until=self._until, rate=self._rate, left_out=self._left_out, events=tuple(self._events))


class Recordings:
    """The logs and traces of the processes of `runtime`. `log` and `trace` may be called in any thread.

    Call the other methods on the event loop.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._traces: dict[int, Trace] = {}

    def keep_log(self, process: BehaviourProcess, *, on: bool) -> None:
        """If `on`, log the messages of `process` from the next one on; otherwise, end the log and forget it."""
        sys.log(process.pid, MAX_LOGGED if on else None)

    def begin_trace(self, process: BehaviourProcess, seconds: float, rate: int) -> None:
        """Trace a process for some seconds. Raises Refused for values beyond the limits, and for too many traces."""
        if not (0 < seconds <= MAX_TRACE_SECONDS and 0 < rate <= MAX_TRACE_RATE):
            raise Refused(
                f"A trace takes at most {MAX_TRACE_SECONDS:g} s and {MAX_TRACE_RATE} events a second, "
                f"not {seconds:g} s and {rate}; choose smaller numbers."
            )
        self._forget_ended(process.pid)
        if len(self._traces) >= MAX_TRACES:
            raise Refused(f"{MAX_TRACES} processes are traced already; wait until one of these traces has ended.")
        trace = self._traces[process.pid] = Trace(seconds, rate)
        sys.remove(process.pid, _TRACE_ID)
        sys.install(process.pid, trace.take, id=_TRACE_ID)
        self._runtime.loop.call_later(seconds, self._end, process.pid, trace)

    def end_trace(self, process: BehaviourProcess) -> None:
        """End the trace of a process."""
        if (trace := self._traces.get(process.pid)) is not None:
            self._end(process.pid, trace)

    def log(self, process: BehaviourProcess) -> tuple[RecordedEvent, ...] | None:
        """Return the newest messages of a process; None while no log is kept."""
        debug = process.debug
        lines = None if debug is None else debug.lines
        if lines is None:
            return None
        return tuple(RecordedEvent(at=one.at, kind=one.kind, text=one.text) for one in list(lines)[-MAX_LOGGED:])

    def trace(self, pid: int) -> ProcessTrace | None:
        """Return the last trace of a process; None if there is none."""
        trace = self._traces.get(pid)
        return None if trace is None else trace.view()

    def _end(self, pid: int, trace: Trace) -> None:
        trace.end()
        process = self._runtime.processes.get(pid)
        if self._traces.get(pid) is trace and isinstance(process, BehaviourProcess):
            sys.remove(process.pid, _TRACE_ID)

    def _forget_ended(self, pid: int) -> None:
        """Forget the traces of this process and of ended processes, and finished traces if too many remain."""
        alive = self._runtime.processes
        self._traces = {one: trace for one, trace in self._traces.items() if one != pid and one in alive}
        over = [one for one, trace in self._traces.items() if not trace.running]
        for one in over[: max(0, len(self._traces) - MAX_TRACES + 1)]:
            del self._traces[one]

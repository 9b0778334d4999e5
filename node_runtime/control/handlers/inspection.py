"""The handlers of the methods that inspect, record, suspend and resume one process."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any, Final

from msgspec.structs import replace

from node_runtime import sys
from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess
from node_runtime.code import CodeServer
from node_runtime.control.dispatch import Caller, MethodEntry
from node_runtime.control.inspection.inspector import ProcessInspector
from node_runtime.control.inspection.recordings import Recordings
from node_runtime.control.snapshots import SnapshotReader
from node_runtime.processes.errors import Exit, NoProcess
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.exit_codes import Refused

from .processes import find_target

MAX_SUSPEND_SECONDS: Final = 3600.0
CALLBACK_SECONDS: Final = 3.0
"""Seconds for which a suspend waits for the end of the callback. A client waits longer for its reply."""
OPERATOR: Final = "an operator"
"""The owner of the suspends of all operators: each operator may resume a process that another operator has suspended.
"""


class InspectionHandlers:
    """The handlers of one node. `emit(text)` publishes an event about processes."""

    def __init__(
        self,
        name: str,
        boot_id: str,
        runtime: Runtime,
        code: CodeServer,
        snapshots: SnapshotReader,
        emit: Callable[[str], None],
    ) -> None:
        self._name = name
        self._boot_id = boot_id
        self._runtime = runtime
        self._emit = emit
        self._recordings = Recordings(runtime)
        self._inspector = ProcessInspector(runtime, code, snapshots, self._recordings, boot_id)

    def entries(self) -> list[MethodEntry[Any, Any]]:
        """Return the entries of the method table."""
        return [
            MethodEntry(methods.PROCESS, self.process, "slices", fallback=self.torn_process, shared=True),
            MethodEntry(methods.LOG_PROCESS, self.log_process, "loop", _subject),
            MethodEntry(methods.TRACE_PROCESS, self.trace_process, "loop", _subject),
            MethodEntry(methods.SUSPEND_PROCESS, self.suspend_process, "loop", _subject),
            MethodEntry(methods.RESUME_PROCESS, self.resume_process, "loop", _subject),
        ]

    def process(self, caller: Caller, request: m.InspectProcess) -> Generator[None, None, m.ProcessView]:
        return self._inspector.inspect(request.pid)

    def torn_process(
        self, caller: Caller, request: m.InspectProcess, blocked: str
    ) -> Generator[None, None, m.ProcessView]:
        view = yield from self._inspector.inspect(request.pid, torn=True)
        return replace(view, blocked=blocked)

    def log_process(self, caller: Caller, request: m.LogProcess) -> m.Empty:
        process = self._with_callbacks(request.pid, request.boot_id)
        self._recordings.keep_log(process, on=request.on)
        done = "keeps a log of" if request.on else "has ended the log of"
        self._emit(f"{caller.name} {done} {process.title()}")
        return m.Empty()

    def trace_process(self, caller: Caller, request: m.TraceProcess) -> m.Empty:
        process = self._with_callbacks(request.pid, request.boot_id)
        if request.seconds == 0:
            self._recordings.end_trace(process)
            return m.Empty()
        self._recordings.begin_trace(process, request.seconds, request.rate)
        self._emit(f"{caller.name} traces {process.title()} for {request.seconds:g} s")
        return m.Empty()

    async def suspend_process(self, caller: Caller, request: m.SuspendProcess) -> m.Empty:
        process = self._with_callbacks(request.pid, request.boot_id)
        if not (0 < request.seconds <= MAX_SUSPEND_SECONDS and math.isfinite(request.seconds)):
            raise Refused(f"A suspend lasts more than 0 s and at most {MAX_SUSPEND_SECONDS:g} s; choose another time.")
        try:
            await sys.suspend(process.pid, owner=OPERATOR, lease=request.seconds, timeout=CALLBACK_SECONDS)
        except (sys.NotHeld, NoProcess, Exit) as error:
            raise Refused(f"{process.title()} was not suspended: {error}.") from None
        self._emit(f"{caller.name} suspended {process.title()} for {request.seconds:g} s")
        return m.Empty()

    def resume_process(self, caller: Caller, request: m.ProcessTarget) -> m.Empty:
        process = self._with_callbacks(request.pid, request.boot_id)
        if OPERATOR not in (process.suspend_owners or ()):
            raise Refused(f"No operator has suspended {process.title()}, so there is nothing to resume.")
        sys.resume(process.pid, owner=OPERATOR)
        self._emit(f"{caller.name} resumed {process.title()}")
        return m.Empty()

    def _with_callbacks(self, pid: int, boot_id: str) -> BehaviourProcess:
        process = find_target(self._runtime, self._name, self._boot_id, m.ProcessTarget(pid=pid, boot_id=boot_id))
        if not isinstance(process, BehaviourProcess):
            raise Refused(f"{process.title()} is a plain coroutine without callbacks, so it can't be recorded or held.")
        return process


def _subject(request: m.LogProcess | m.TraceProcess | m.SuspendProcess | m.ProcessTarget) -> str:
    return f"<{request.pid}>"

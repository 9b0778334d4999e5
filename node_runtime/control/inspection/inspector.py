"""Reads one process in depth, without sending it a message."""

from __future__ import annotations

import heapq
from collections.abc import Generator, Iterable, Sequence
from itertools import islice
from operator import attrgetter
from time import monotonic
from typing import Final

from msgspec.structs import replace

from node_runtime.behaviours.show.describe import DescribeLimits, describe
from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess, StatemProcess
from node_runtime.code import CodeServer
from node_runtime.control.queries.process_reader import ProcessReader, shown_name
from node_runtime.control.snapshots import SnapshotReader
from node_runtime.processes.pid import Pid
from node_runtime.processes.process import Process
from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol import messages as m
from node_runtime.protocol.clip import MAX_SHOWN_NAME, clip
from node_runtime.protocol.escape import escape
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages.inspection import SUCCESSOR_REMEDY

from .recordings import Recordings
from .relations import RelationReader

MAX_RELATED: Final = 50
"""The maximum number of pids in one list."""
MAX_ANCESTORS: Final = 20
MAX_TIMEOUTS: Final = 20
MAX_FRAMES: Final = 60
"""The maximum number of frames of a stack, the innermost."""
MAX_FRAME: Final = 300
"""The maximum number of characters of a frame."""
MAX_OWNERS: Final = 5
_CONTENT_LIMITS: Final = DescribeLimits(depth=3, parts=8, terms=40, size=2000, text=100, seconds=0.001)


class ProcessInspector:
    """Reads processes of `runtime`, on the event loop.

    With `torn`, a process is read in the control thread while the event loop is blocked; then no user code runs.
    """

    def __init__(
        self, runtime: Runtime, code: CodeServer, snapshots: SnapshotReader, recordings: Recordings, boot_id: str
    ) -> None:
        self._runtime = runtime
        self._code = code
        self._snapshots = snapshots
        self._recordings = recordings
        self._boot_id = boot_id
        self._relations = RelationReader(runtime)

    def inspect(self, pid: int, *, torn: bool = False) -> Generator[None, None, m.ProcessView]:
        """Return the process; yield between short slices of the work. Raises Refused when the process has ended."""
        relations = RelationReader(self._runtime) if torn else self._relations
        found, age = yield from relations.read(self._find(pid))
        process = self._find(pid)  # the process may have ended meanwhile
        state = self._snapshots.state(pid, torn=torn)
        links, monitors = state.process.links, state.process.monitors
        ancestors = self._ancestors(process)
        lists: tuple[Sequence[int], ...]
        lists = (found.children, found.monitored_by, found.waited_by, links, monitors, ancestors, state.waits_for)
        return m.ProcessView(
            state=state.state,
            at=state.at,
            running=state.running,
            mail=state.mail,
            exits=tuple(self._with_report(one) for one in state.exits),
            stack=tuple(clip(frame, MAX_FRAME) for frame in state.stack[-MAX_FRAMES:]),
            process=replace(state.process, links=_few(links), monitors=_few(monitors)),
            waits_for=_few(state.waits_for),
            boot_id=self._boot_id,
            arguments=ProcessReader(self._runtime, self._code).arguments(process),
            callback_seconds=monotonic() - process.callback_began if process.callback_began else None,
            spent=process.busy_seconds(),
            trapping=process.trapping,
            link_count=len(links),
            monitor_count=len(monitors),
            ancestors=ancestors,
            children=_few(found.children),
            child_count=len(found.children),
            monitored_by=_few(found.monitored_by),
            monitored_by_count=len(found.monitored_by),
            waited_by=_few(found.waited_by),
            waited_by_count=len(found.waited_by),
            relations_age=age,
            related=self._related(pid for pids in lists for pid in pids[:MAX_RELATED]),
            suspended_by=tuple(_owner(one) for one in islice(tuple(process.suspend_owners or ()), MAX_OWNERS)),
            timeouts=_timeouts(process, self._runtime.loop.time()),
            postponed=len(process.postponed) if isinstance(process, StatemProcess) else 0,
            log=self._recordings.log(process) if isinstance(process, BehaviourProcess) else None,
            trace=self._recordings.trace(pid),
        )

    def _find(self, pid: int) -> Process:
        """Return a process. Raises Refused, with the exit reason, when the process has ended."""
        process = self._runtime.processes.get(pid) or self._runtime.zombies.get(pid)
        if process is not None:
            return process
        ended = next((one for one in self._runtime.exit_log.newest(10_000) if one.pid == pid), None)
        reason = "" if ended is None else f": {shown(ended.reason)}"
        raise Refused(f"Process <{pid}> has ended{reason}. {SUCCESSOR_REMEDY}")

    def _with_report(self, end: m.ProcessExit) -> m.ProcessExit:
        report = self._runtime.exit_log.report(end.pid)
        if report is None:
            return end
        return replace(
            end,
            vsn=report.vsn,
            last_message=shown(report.last_message),
            state=shown(report.state),
            trace=tuple(clip(shown(one), MAX_FRAME) for one in report.trace),
        )

    def _ancestors(self, process: Process) -> tuple[int, ...]:
        found: list[int] = []
        above = self._runtime.processes.get(process.parent)
        while above is not None and len(found) < MAX_ANCESTORS and int(above.pid) not in found:
            found.append(int(above.pid))
            above = self._runtime.processes.get(above.parent)
        return tuple(found)

    def _related(self, pids: Iterable[int]) -> tuple[m.RelatedProcess, ...]:
        known = {pid: self._runtime.processes.get(pid) or self._runtime.zombies.get(pid) for pid in pids}
        return tuple(_related(process) for process in known.values() if process is not None)


def _related(process: Process) -> m.RelatedProcess:
    return m.RelatedProcess(
        pid=int(process.pid),
        name=None if process.name is None else shown_name(process.name),
        kind=process.kind,
        module=escape(process.module),
        status=process.status,
        mailbox=len(process.mail or ()),
    )


def _few(pids: Sequence[int]) -> tuple[int, ...]:
    return tuple(pids[:MAX_RELATED])


def _owner(owner: object) -> str:
    """Return a text for the owner of a suspend; user code may pass any object as the owner."""
    if isinstance(owner, str):
        return clip(shown(str.__str__(owner)), MAX_SHOWN_NAME)
    return f"<{int(owner)}>" if isinstance(owner, Pid) else escape(type(owner).__name__)


def _timeouts(process: Process, now: float) -> tuple[m.PendingTimeout, ...]:
    """Return the pending timeouts of a state machine and the messages of `send_after`, the next one first."""
    found: list[m.PendingTimeout] = []
    for name, (_, handle, timeout) in list(process.timers.items()) if isinstance(process, StatemProcess) else ():
        scope: m.TimeoutScope = "event" if timeout.event else "generic" if timeout.generic else "state"
        seconds = None if handle is None else max(0.0, handle.when() - now)
        content = None if timeout.content is None else describe({name: timeout.content}, _CONTENT_LIMITS).items[0][1]
        found.append(m.PendingTimeout(name=shown_name(name), scope=scope, seconds=seconds, content=content))
    timers = heapq.nsmallest(MAX_TIMEOUTS, tuple(process.timer_refs or ()), key=attrgetter("due"))
    for timer in timers:
        message = describe(timer.message, _CONTENT_LIMITS)
        left = max(0.0, timer.due - monotonic())
        found.append(m.PendingTimeout(name="send_after", scope="message", seconds=left, content=message))
    found.sort(key=lambda one: -1.0 if one.seconds is None else one.seconds)
    return tuple(found[:MAX_TIMEOUTS])

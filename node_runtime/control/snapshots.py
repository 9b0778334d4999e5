"""Snapshots of a node's processes, applications and modules, taken without sending messages to them.

This module reads plain attributes only, so its code may also run in the control thread while the event loop is blocked.
In that case `torn` is true: the parts of the snapshot may be of different moments, and no user code runs.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache
from time import monotonic
from typing import Final

import msgspec

from node_runtime.behaviours.application_controller import Applications
from node_runtime.behaviours.show.describe import describe
from node_runtime.behaviours.show.state_view import describe_state
from node_runtime.behaviours.upgrade.live_processes import (
    BehaviourProcess,
    Child,
    ChildTable,
    StatemProcess,
    SupervisorProcess,
)
from node_runtime.code import CodeServer
from node_runtime.processes.inspection import awaiting
from node_runtime.processes.process import DEAD, Process
from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol.escape import escape
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import ApplicationInfo, ChildInfo, ModuleInfo, ProcessSummary, StateView, Term

_shown_name: Final = lru_cache(maxsize=1 << 15)(shown)
"""A name or id as it is shown. Every snapshot has the same ones again."""
SLICE_SECONDS: Final = 0.002
"""Seconds for which a snapshot may occupy the event loop before it yields."""


@dataclass(frozen=True, slots=True)
class RuntimeSnapshot:
    """The part of a node's snapshot that is read from the runtime and the code server."""

    processes: tuple[ProcessSummary, ...]
    children: tuple[ChildInfo, ...]
    applications: tuple[ApplicationInfo, ...]
    modules: tuple[ModuleInfo, ...]


class SnapshotReader:
    """Takes snapshots of `runtime` and its code server."""

    def __init__(self, runtime: Runtime, code: CodeServer) -> None:
        self._runtime = runtime
        self._code = code

    def take(self) -> RuntimeSnapshot:
        """Take a snapshot without yielding, for the control thread while the event loop is blocked."""
        slices = self.take_in_slices()
        while True:
            try:
                next(slices)
            except StopIteration as last:
                snapshot: RuntimeSnapshot = last.value
                return snapshot

    def take_in_slices(self) -> Generator[None, None, RuntimeSnapshot]:
        """Take a snapshot, and yield every `SLICE_SECONDS`, so that other callbacks of the event loop run.

        The generator does not yield while it reads a process. The snapshot contains zombies, and
        the processes that exist both when it begins and when it is complete. A process that starts
        in between is left out, because its supervisor may have started in between, too.
        """
        modules = self._code.loaded_modules()
        old = {module.name: frozenset(module.old_pids) for module in modules}
        masters = self._masters()
        processes = [*list(self._runtime.processes.values()), *list(self._runtime.zombies.values())]
        users: dict[str, int] = {}
        seen: list[ProcessSummary] = []
        children: list[ChildInfo] = []
        until = monotonic() + SLICE_SECONDS
        for process in processes:
            if monotonic() >= until:
                yield
                until = monotonic() + SLICE_SECONDS
            if process.run_state is DEAD and process.pid not in self._runtime.zombies:
                continue
            users[process.module] = users.get(process.module, 0) + 1
            seen.append(self._process(process, masters, old))
            children += _idle_children(process)
        alive, zombies = self._runtime.processes, self._runtime.zombies
        return RuntimeSnapshot(
            processes=tuple(one for one in seen if one.pid in alive or one.pid in zombies),
            children=tuple(one for one in children if one.supervisor in alive),
            applications=self.applications(),
            modules=tuple(msgspec.structs.replace(module, processes=users.get(module.name, 0)) for module in modules),
        )

    def applications(self) -> tuple[ApplicationInfo, ...]:
        """Return the started applications."""
        return tuple(
            ApplicationInfo(
                name=escape(running.spec.name),
                vsn=escape(running.spec.vsn),
                top=None if running.top is None else int(running.top),
            )
            for running in list(self._runtime.singleton(Applications).running.values())
        )

    def state(self, pid: int, *, torn: bool) -> StateView:
        """Return one process and its state. Raises Refused when the process has ended."""
        process = self._runtime.processes.get(pid) or self._runtime.zombies.get(pid)
        if process is None:
            raise Refused(f"Process <{pid}> has ended; find its successor in the process tree.")
        old = {process.module: frozenset(self._code.pids_running_old_code(process.module))}
        return StateView(
            process=self._process(process, self._masters(), old),
            state=_state_term(process, torn),
            at=time.time(),
            stack=tuple(shown(place) for place in awaiting(process)),
        )

    # ------------------------------------------------------------------ inside

    def _process(self, process: Process, masters: dict[int, str], old: dict[str, frozenset[int]]) -> ProcessSummary:
        child = self._child(process)
        table = _table(process)
        return ProcessSummary(
            pid=int(process.pid),
            name=None if process.name is None else _shown_name(process.name),
            kind=process.kind,
            module=escape(process.module),
            vsn=self._vsn(process, old),
            status=process.status,
            parent=int(process.parent) or None,
            started=process.started,
            mailbox=len(process.mail or ()),
            messages=process.handled,
            child_id=None if child is None else _shown_name(child.spec.id),
            application=self._application(process, masters),
            state_name=_state_name(process) if isinstance(process, StatemProcess) else None,
            callback=escape(process.qualname),
            links=tuple(int(linked.pid) for linked in process.linked()),
            monitors=tuple(int(watched.pid) for watched in list((process.monitors or {}).values())),
            restarts=0 if child is None else child.restarts,
            strategy=None if table is None else table.flags.strategy,
            intensity=None if table is None else f"{table.flags.intensity} in {table.flags.period:g} s",
        )

    def _child(self, process: Process) -> Child | None:
        """Return the process's entry in its supervisor's table."""
        parent = self._runtime.processes.get(process.parent)
        table = None if parent is None else _table(parent)
        return None if table is None else table.by_pid.get(process.pid)

    def _masters(self) -> dict[int, str]:
        running = list(self._runtime.singleton(Applications).running.values())
        return {int(one.master): escape(one.spec.name) for one in running if one.master is not None}

    def _application(self, process: Process, masters: dict[int, str]) -> str | None:
        """Return the application whose master is the process or one of its ancestors."""
        above: Process | None = process
        while above is not None:
            if above.pid in masters:
                return masters[above.pid]
            above = self._runtime.processes.get(above.parent)
        return None

    def _vsn(self, process: Process, old_pids: dict[str, frozenset[int]]) -> str:
        """Return which version of its module the process runs; "" if the module isn't managed by the code server."""
        current, old = self._code.versions(process.module)
        if current is None:
            return ""
        if old is not None and process.pid in old_pids.get(process.module, ()):
            return escape(old.vsn)
        return escape(current.vsn)


def _table(process: Process) -> ChildTable | None:
    """Return a supervisor's state; None for other processes, and before `init` has run."""
    if not isinstance(process, SupervisorProcess):
        return None
    table: ChildTable | None = process.raw_state()
    return table


def _idle_children(process: Process) -> list[ChildInfo]:
    table = _table(process)
    if table is None:
        return []
    return [
        ChildInfo(
            supervisor=int(process.pid),
            child_id=_shown_name(child.spec.id),
            kind="supervisor" if child.spec.type == "supervisor" else "process",
            status="restarting" if child.restarting else "undefined",
        )
        for child in list(table.children.values())
        if child.pid is None
    ]


def _state_name(process: StatemProcess) -> str:
    """Return the state name of a state machine as text. The name may be any value; none of its methods is called."""
    state = process.state_name
    return shown(state) if isinstance(state, str) else describe(state).text or escape(type(state).__name__)


def _state_term(process: Process, torn: bool) -> Term:
    """Return the state for display. The process's `format_status` formats it, unless `torn`."""
    if not isinstance(process, BehaviourProcess):
        return Term(type=process.kind, text=escape(f"{process.module}:{process.qualname}"))
    return describe_state(type(process.instance), process.raw_state(), run_hook=not torn)

"""Snapshots of a node's processes, applications and modules, taken without sending messages to them.

This module reads plain attributes only, so its code may also run in the control thread while the event loop is blocked.
In that case `torn` is true: the parts of the snapshot may be of different moments, and no user code runs.
"""

from __future__ import annotations

import time
from collections.abc import Generator

import msgspec

from node_runtime.behaviours.application_controller import Applications
from node_runtime.behaviours.show.state_view import describe_state
from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess
from node_runtime.code import CodeServer
from node_runtime.processes.inspection import awaiting
from node_runtime.processes.process import DEAD, Process
from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol.escape import escape
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import ApplicationInfo, ChildInfo, ModuleInfo, ProcessSummary, StateView, Term
from node_runtime.protocol.messages.inspection import SUCCESSOR_REMEDY

from .queries.process_reader import ProcessReader, shown_name, table_of
from .queries.process_view import oldest_mail, predecessors, running_callback, waited_for
from .queries.slices import SliceClock


class RuntimeSnapshot(msgspec.Struct, frozen=True):
    """The part of a node's snapshot that is read from the runtime and the code server."""

    processes: tuple[ProcessSummary, ...]
    children: tuple[ChildInfo, ...]
    applications: tuple[ApplicationInfo, ...]
    modules: tuple[ModuleInfo, ...]


class SnapshotReader:
    """Takes snapshots of `runtime` and its code server."""

    def __init__(self, runtime: Runtime, code: CodeServer) -> None:
        self._runtime = runtime
        self.code = code

    def take_in_slices(self) -> Generator[None, None, RuntimeSnapshot]:
        """Take a snapshot, and yield after each slice, so that other callbacks of the event loop run.

        The generator does not yield while it reads a process. The snapshot contains zombies, and the processes that
        exist both when the snapshot begins and when it is complete. A process that starts in between is left out,
        because its supervisor may be new, too, and missing in the snapshot.
        """
        modules = self.code.loaded_modules()
        reader = self._reader({module.name: frozenset(module.old_pids) for module in modules})
        processes = [*list(self._runtime.processes.values()), *list(self._runtime.zombies.values())]
        users: dict[str, int] = {}
        seen: list[ProcessSummary] = []
        children: list[ChildInfo] = []
        clock = SliceClock()
        for process in processes:
            if clock.due():
                yield
            if process.run_state is DEAD and process.pid not in self._runtime.zombies:
                continue
            users[process.module] = users.get(process.module, 0) + 1
            seen.append(reader.summary(process))
            children += _idle_children(process)
        alive, zombies = self._runtime.processes, self._runtime.zombies
        return RuntimeSnapshot(
            processes=tuple(one for one in seen if one.pid in alive or one.pid in zombies),
            children=tuple(one for one in children if one.supervisor in alive),
            applications=self.applications(),
            modules=tuple(msgspec.structs.replace(module, processes=users.get(module.name, 0)) for module in modules),
        )

    def modules(self, users: dict[str, int]) -> tuple[ModuleInfo, ...]:
        """Return the loaded modules, each with the number of processes that use it."""
        modules = self.code.loaded_modules()
        return tuple(msgspec.structs.replace(module, processes=users.get(module.name, 0)) for module in modules)

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
            raise Refused(f"Process <{pid}> has ended. {SUCCESSOR_REMEDY}")
        old = {process.module: frozenset(self.code.pids_running_old_code(process.module))}
        return StateView(
            process=self._reader(old).summary(process),
            state=_state_term(process, torn),
            at=time.time(),
            stack=tuple(shown(place) for place in awaiting(process)),
            running=running_callback(process),
            waits_for=waited_for(process),
            mail=oldest_mail(process),
            exits=predecessors(self._runtime, process),
        )

    # ------------------------------------------------------------------ inside

    def _reader(self, old: dict[str, frozenset[int]]) -> ProcessReader:
        reader = ProcessReader(self._runtime, self.code)
        reader.refresh(old)
        return reader


def _idle_children(process: Process) -> list[ChildInfo]:
    table = table_of(process)
    if table is None:
        return []
    return [
        ChildInfo(
            supervisor=int(process.pid),
            child_id=shown_name(child.spec.id),
            kind="supervisor" if child.spec.type == "supervisor" else "process",
            status="restarting" if child.restarting else "undefined",
        )
        for child in list(table.children.values())
        if child.pid is None
    ]


def _state_term(process: Process, torn: bool) -> Term:
    """Return the state for display. The process's `format_status` formats it, unless `torn`."""
    if not isinstance(process, BehaviourProcess):
        return Term(type=process.kind, text=escape(f"{process.module}:{process.qualname}"))
    return describe_state(type(process.instance), process.raw_state(), run_hook=not torn)

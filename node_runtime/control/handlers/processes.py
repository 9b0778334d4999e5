"""The handlers of the methods about processes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from node_runtime.behaviours.upgrade.live_processes import SupervisorProcess
from node_runtime.code import CodeServer
from node_runtime.control.queries.process_queries import ProcessQueries
from node_runtime.processes.pid import ROOT
from node_runtime.processes.process import Process
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages.inspection import SUCCESSOR_REMEDY
from node_runtime.protocol.messages.operations import requester
from node_runtime.supervisor import restart_child, terminate_child

if TYPE_CHECKING:
    from node_runtime.control.dispatch import Caller

TORN_KEPT_SECONDS: Final = 10.0
"""Seconds for which the control thread uses the same list of processes while the event loop is blocked."""


class ProcessHandlers:
    """The handlers of one node, with the name `name` and the boot id `boot_id`. `emit(text)` publishes an event.

    Viewers and operators have separate `ProcessQueries`, so that a viewer's query never delays an operator's.
    """

    def __init__(
        self, name: str, boot_id: str, runtime: Runtime, code: CodeServer, emit: Callable[[str], None]
    ) -> None:
        self._name = name
        self._boot_id = boot_id
        self._runtime = runtime
        self._code = code
        self._emit = emit
        self._queries: dict[m.Role, ProcessQueries] = {
            "viewer": ProcessQueries(runtime, code, boot_id),
            "operator": ProcessQueries(runtime, code, boot_id),
        }
        self._torn_queries: dict[m.Role, tuple[float, ProcessQueries]] = {}
        """The queries for a blocked event loop, each with the time at which it was made."""

    def processes(self, caller: Caller, request: m.ProcessQuery) -> Generator[None, None, m.ProcessPage]:
        return self._queries[caller.role].processes(request)

    def torn_processes(
        self, caller: Caller, request: m.ProcessQuery, blocked: str
    ) -> Generator[None, None, m.ProcessPage]:
        page = yield from self._torn(caller.role).processes(replace(request, since=0))
        return replace(page, blocked=blocked)

    def tree(self, caller: Caller, request: m.TreeQuery) -> Generator[None, None, m.TreePage]:
        return self._queries[caller.role].tree(request)

    def torn_tree(self, caller: Caller, request: m.TreeQuery, blocked: str) -> Generator[None, None, m.TreePage]:
        page = yield from self._torn(caller.role).tree(replace(request, since=0))
        return replace(page, blocked=blocked)

    def module_users(self, role: m.Role) -> Generator[None, None, dict[str, int]]:
        return self._queries[role].module_users()

    def torn_module_users(self, role: m.Role) -> Generator[None, None, dict[str, int]]:
        return self._torn(role).module_users()

    def drop_ended(self) -> None:
        """Drop the processes that have ended since clients have asked for processes: they hold their code and state.

        To be called before the node searches for what holds an old version.
        """
        for queries in self._queries.values():
            queries.drop_ended()

    def _torn(self, role: m.Role) -> ProcessQueries:
        """Return the object that answers queries of a role in the control thread, while the event loop is blocked.

        The object is kept for `TORN_KEPT_SECONDS`, so that not every request has to read all processes.
        """
        made, queries = self._torn_queries.get(role, (-math.inf, None))
        if queries is None or time.monotonic() - made > TORN_KEPT_SECONDS:
            queries = ProcessQueries(self._runtime, self._code, self._boot_id, torn=True)
            self._torn_queries[role] = time.monotonic(), queries
            with suppress(RuntimeError):  # the event loop has ended
                # when the loop runs again, drop these queries: they keep ended processes, and therefore old code
                self._runtime.loop.call_soon_threadsafe(self._torn_queries.clear)
        return queries

    # ------------------------------------------------------------------ changes

    async def restart_process(self, caller: Caller, request: m.ProcessTarget) -> m.Empty:
        process = self._process(request)
        supervisor = self._runtime.processes.get(process.parent)
        table = supervisor.raw_state() if isinstance(supervisor, SupervisorProcess) else None
        child = None if table is None else table.by_pid.get(process.pid)
        if supervisor is None or child is None:
            raise Refused(f"{process.title()} has no supervisor that could restart it; kill it to end it.")
        if child.spec.is_forgotten:
            raise Refused(f"{process.title()} is temporary, so its supervisor never restarts it; kill it to end it.")
        self._announce("restarts", process, caller, request)
        await terminate_child(supervisor.pid, child.spec.id)
        await restart_child(supervisor.pid, child.spec.id)
        return m.Empty()

    def kill_process(self, caller: Caller, request: m.ProcessTarget) -> m.Empty:
        process = self._process(request)
        self._announce("kills", process, caller, request)
        self._runtime.signal(process, ROOT, "kill")
        return m.Empty()

    def _announce(self, verb: str, process: Process, caller: Caller, request: m.ProcessTarget) -> None:
        """Publish who ends a process, and why, because the event of its end has only the exit reason."""
        why = f": {request.reason}" if request.reason else ""
        self._emit(f"{requester(caller.name, caller.claim)} {verb} {process.title()}{why}")

    def _process(self, request: m.ProcessTarget) -> Process:
        return find_target(self._runtime, self._name, self._boot_id, request)


def find_target(runtime: Runtime, name: str, boot_id: str, request: m.ProcessTarget) -> Process:
    """Return the live process that a request names; `name` and `boot_id` are those of this node. Raises Refused."""
    if request.boot_id != boot_id:
        raise Refused(
            f"{name} was restarted after the processes were listed, so <{request.pid}> is another process "
            f"now; list the processes again."
        )
    process = runtime.processes.get(request.pid)
    if process is None:
        raise Refused(f"Process <{request.pid}> has ended. {SUCCESSOR_REMEDY}")
    return process

"""The handlers of the control methods, and the table that maps methods to them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import structs

from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.clip import MAX_SHOWN_NAME, clip
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.wire import MAX_REQUEST_BYTES
from node_runtime.releases.signing.trust_policy import read_trust_policy
from node_runtime.releases.store.staging_request import StageRequest
from node_runtime.releases.workers import LedWorkers

from .audit import AuditLog, verify
from .audit.entries import MAX_FIELD_CHARACTERS
from .control_thread import ControlThread
from .dispatch import Caller, MethodEntry, signature_text
from .event_log import EventLog
from .handlers.inspection import InspectionHandlers
from .handlers.module_source import module_source
from .handlers.node_identity import NodeIdentity
from .handlers.old_code import OldCodeHandlers
from .handlers.processes import ProcessHandlers
from .pending_plans import PendingPlans
from .snapshots import RuntimeSnapshot, SnapshotReader
from .uploads import Uploads
from .vitals import VitalsMeter


class RehearsalEvents(Protocol):
    """The progress of rehearsals.

    A listener is called on the event loop with the version of the release, the number of processes
    rehearsed so far, and the number of processes to rehearse in all.
    """

    def subscribe(self, listener: Callable[[str, int, int], None]) -> Callable[[], None]: ...


class InstallApprovals(Protocol):
    """The approvals of installs. `person` is the name of the caller's key. All methods may raise Refused."""

    def approve(self, request: m.Approve, person: str) -> m.Approval: ...
    def check(self, request: m.Install, person: str) -> None: ...
    def of_plan(self, plan: m.Plan, person: str) -> m.Approval | None: ...


class ReleaseOperations(Protocol):
    """The operations of the node's release handler that the control plane calls. All may raise Refused.

    `releases`, `operation` and `operations` are called in the control thread, even while the event loop is blocked.
    `stage` is called in a worker thread. All other methods are called on the event loop. A listener of `subscribe` gets
    an operation after each change of that operation.
    """

    name: str
    vsn: str

    @property
    def rehearsals(self) -> RehearsalEvents: ...
    @property
    def approvals(self) -> InstallApprovals: ...
    @property
    def workers(self) -> LedWorkers: ...
    @property
    def permanent(self) -> str: ...
    @property
    def generation(self) -> int: ...
    def releases(self) -> tuple[m.ReleaseInfo, ...]: ...
    def operation(self, id: str | None) -> m.Operation: ...
    def operations(self, limit: int) -> tuple[m.Operation, ...]: ...
    def stage(self, tarball: Path, request: StageRequest) -> m.ReleaseInfo: ...
    def plan(self, vsn: str) -> Coroutine[Any, Any, m.Plan]: ...
    def install(self, request: m.Install, who: str, claim: str) -> str: ...
    def rollback(self, request: m.Rollback, who: str, claim: str) -> str: ...
    def abort(self, request: m.Abort, who: str, claim: str = "") -> str: ...
    async def commit(self, request: m.Commit, who: str, claim: str) -> m.Operation: ...
    async def remove(self, vsn: str) -> None: ...
    def subscribe(self, listener: Callable[[m.Operation], None]) -> Callable[[], None]: ...
    def subscribe_health(self, listener: Callable[[str, m.Health], None]) -> Callable[[], None]: ...


class ControlParts(msgspec.Struct, frozen=True):
    """The parts of the control plane that the handlers use.

    `emit_release_event(text)` publishes an event about releases; any thread may call it.
    """

    snapshots: SnapshotReader
    meter: VitalsMeter
    events: EventLog
    thread: ControlThread
    emit_release_event: Callable[[str], None]
    audit: AuditLog
    uploads: Uploads


class MethodHandlers:
    """The handlers of one node. `entries` says in which thread each handler runs.

    `stop(restart)` shuts down the node.
    """

    def __init__(
        self,
        identity: NodeIdentity,
        handler: ReleaseOperations,
        runtime: Runtime,
        parts: ControlParts,
        stop: Callable[[bool], None],
    ) -> None:
        self._identity = identity
        self._handler = handler
        self._runtime = runtime
        self._parts = parts
        self._stop = stop
        self._plans = PendingPlans(handler.plan)
        own = identity.own_name, identity.boot_id
        self._processes = ProcessHandlers(*own, runtime, parts.snapshots.code, self._emit_process_event)
        self._old_code = OldCodeHandlers(*own, handler, parts.emit_release_event)
        self._inspection = InspectionHandlers(
            *own,
            runtime,
            parts.snapshots.code,
            parts.snapshots,
            self._emit_process_event,
        )

    def _emit_process_event(self, text: str) -> None:
        self._parts.thread.run(lambda: self._parts.events.emit("process", text))

    def entries(self) -> list[MethodEntry[Any, Any]]:
        """Return the method table."""
        handler, uploads, old_code, processes = self._handler, self._parts.uploads, self._old_code, self._processes
        return [
            MethodEntry(methods.HELLO, self.hello),
            MethodEntry(methods.PING, lambda caller, request: m.Empty()),
            MethodEntry(methods.SNAPSHOT, self.snapshot, "slices", fallback=self.torn_snapshot, shared=True),
            MethodEntry(methods.SUMMARY, self.summary, "slices", fallback=self.torn_summary, shared=True),
            MethodEntry(methods.PROCESSES, processes.processes, "slices", fallback=processes.torn_processes),
            MethodEntry(methods.TREE, processes.tree, "slices", fallback=processes.torn_tree),
            MethodEntry(methods.STATE, self.state, "loop", fallback=self.torn_state, shared=True),
            *self._inspection.entries(),
            MethodEntry(methods.RELEASES, self.releases, shared=True),
            MethodEntry(methods.OPERATION, self.operation, shared=True),
            MethodEntry(methods.OPERATIONS, self.operations, shared=True),
            MethodEntry(methods.SUBSCRIBE, self.subscribe),
            MethodEntry(methods.UNSUBSCRIBE, self.unsubscribe),
            MethodEntry(methods.EVENTS, self.newest_events, shared=True),
            MethodEntry(methods.AUDIT, self.newest_audit_entries, "worker", shared=True),
            MethodEntry(methods.OLD_CODE, old_code.old_code, "worker", shared=True),
            MethodEntry(methods.STRAY_TASKS, old_code.stray_tasks, "loop", shared=True),
            MethodEntry(methods.SOURCE, module_source, "worker"),
            MethodEntry(methods.AUDIT_VERIFY, self.audit_verify, "worker"),
            MethodEntry(methods.PLAN, self.plan, "loop", lambda request: request.vsn),
            MethodEntry(methods.STAGE_BEGIN, self.stage_begin),
            MethodEntry(methods.STAGE_CHUNK, self.stage_chunk),
            MethodEntry(
                methods.STAGE_END,
                self.stage_end,
                "worker",
                self.staged_file,
                unaudited=lambda request: uploads.drop(request.upload),
            ),
            MethodEntry(methods.APPROVE, self.approve, "loop", lambda request: request.target),
            MethodEntry(methods.INSTALL, self.install, "loop", lambda request: request.vsn),
            MethodEntry(methods.COMMIT, self.commit, "loop", lambda request: handler.vsn),
            MethodEntry(
                methods.ROLLBACK, self.rollback, "loop", lambda request: handler.permanent, audit_required=False
            ),
            MethodEntry(
                methods.ABORT,
                self.abort,
                "loop",
                lambda request: request.operation or "the running operation",
                audit_required=False,
            ),
            # Allowed even if a full disk stops the audit log, because a removal makes room.
            MethodEntry(methods.REMOVE, self.remove, "loop", lambda request: request.vsn, audit_required=False),
            MethodEntry(methods.RESTART_PROCESS, processes.restart_process, "loop", lambda request: f"<{request.pid}>"),
            MethodEntry(methods.KILL_PROCESS, processes.kill_process, "loop", lambda request: f"<{request.pid}>"),
            MethodEntry(methods.KILL_TASK, old_code.kill_task, "loop", lambda request: request.name),
            MethodEntry(methods.PURGE, old_code.purge, "loop", lambda request: request.module),
            MethodEntry(methods.STOP, self.stop, "loop", lambda request: "restart" if request.restart else "stop"),
        ]

    # ------------------------------------------------------------------ reading, also while the loop is blocked

    def hello(self, caller: Caller, request: m.Hello) -> m.NodeInfo:
        if request.protocol != methods.PROTOCOL:
            raise Refused(
                f"{shown(request.client[:40])} uses protocol version {request.protocol}, but {self._identity.own_name} "
                f"uses version {methods.PROTOCOL}; use the hotdash that came with the node: `bin/<name> attach`."
            )
        caller.claim = shown(request.user[: MAX_FIELD_CHARACTERS["claim"]])
        return structs.replace(self.info(caller), who=caller.name)

    def info(self, caller: Caller) -> m.NodeInfo:
        identity, handler = self._identity, self._handler
        return m.NodeInfo(
            name=identity.own_name,
            boot_id=identity.boot_id,
            os_pid=identity.os_pid,
            directory=str(identity.directory),
            release=handler.name,
            vsn=handler.vsn,
            permanent=handler.permanent,
            python=sys.version.partition(" ")[0],
            runtime=_runtime_version(),
            started=identity.started,
            development=identity.development,
            generation=handler.generation,
            role=caller.role,
            max_message=MAX_REQUEST_BYTES,
            trust=read_trust_policy(identity.directory).info(),
        )

    def subscribe(self, caller: Caller, request: m.Empty) -> m.Subscription:
        self._parts.thread.subscribe(caller.connection)
        return m.Subscription(seq=self._parts.events.seq)

    def unsubscribe(self, caller: Caller, request: m.Empty) -> m.Empty:
        self._parts.thread.unsubscribe(caller.connection)
        return m.Empty()

    def releases(self, caller: Caller, request: m.Empty) -> m.ReleaseList:
        return m.ReleaseList(releases=self._handler.releases())

    def operation(self, caller: Caller, request: m.GetOperation) -> m.Operation:
        wanted = request.operation  # all ids are short: a long one is unknown, and the refusal shows its beginning
        return self._handler.operation(wanted and clip(wanted, MAX_SHOWN_NAME))

    def operations(self, caller: Caller, request: m.ListLimit) -> m.OperationList:
        return m.OperationList(operations=self._handler.operations(request.limit))

    def newest_events(self, caller: Caller, request: m.ListLimit) -> m.EventList:
        return m.EventList(events=self._parts.events.newest(request.limit))

    def newest_audit_entries(self, caller: Caller, request: m.ListLimit) -> m.AuditList:
        return m.AuditList(entries=self._parts.audit.newest(request.limit))

    def audit_verify(self, caller: Caller, request: m.Empty) -> m.AuditCheck:
        directory = self._identity.directory
        return verify(directory, directory / "bin" / self.info(caller).release)

    # ------------------------------------------------------------------ reading processes

    def summary(self, caller: Caller, request: m.Empty) -> Generator[None, None, m.NodeSummary]:
        seq = self._parts.events.seq
        users = yield from self._processes.module_users(caller.role)
        return self._summary(caller, seq, users, None)

    def torn_summary(self, caller: Caller, request: m.Empty, blocked: str) -> Generator[None, None, m.NodeSummary]:
        seq = self._parts.events.seq
        users = yield from self._processes.torn_module_users(caller.role)
        return self._summary(caller, seq, users, blocked)

    def _summary(self, caller: Caller, seq: int, users: dict[str, int], blocked: str | None) -> m.NodeSummary:
        newest = self._handler.operations(1)
        return m.NodeSummary(
            seq=seq,
            info=self.info(caller),
            vitals=structs.replace(self._parts.meter.latest, processes=len(self._runtime.processes)),
            applications=self._parts.snapshots.applications(),
            modules=self._parts.snapshots.modules(users),
            releases=self._handler.releases(),
            operation=newest[-1] if newest else None,
            blocked=blocked,
            workers=self._workers(),
        )

    def snapshot(self, caller: Caller, request: m.Empty) -> Generator[None, None, m.Snapshot]:
        seq = self._parts.events.seq  # read before the snapshot: a change during the snapshot is also sent as an event
        runtime_snapshot = yield from self._parts.snapshots.take_in_slices()
        return self._snapshot(caller, seq, runtime_snapshot, None)

    def torn_snapshot(self, caller: Caller, request: m.Empty, blocked: str) -> Generator[None, None, m.Snapshot]:
        seq = self._parts.events.seq
        runtime_snapshot = yield from self._parts.snapshots.take_in_slices()
        return self._snapshot(caller, seq, runtime_snapshot, blocked)

    def _snapshot(self, caller: Caller, seq: int, runtime_snapshot: RuntimeSnapshot, blocked: str | None) -> m.Snapshot:
        newest = self._handler.operations(1)
        return m.Snapshot(
            seq=seq,
            info=self.info(caller),
            vitals=structs.replace(self._parts.meter.latest, processes=len(runtime_snapshot.processes)),
            processes=runtime_snapshot.processes,
            children=runtime_snapshot.children,
            applications=runtime_snapshot.applications,
            modules=runtime_snapshot.modules,
            releases=self._handler.releases(),
            operation=newest[-1] if newest else None,
            blocked=blocked,
            workers=self._workers(),
        )

    def _workers(self) -> tuple[m.WorkerInfo, ...]:
        identity, handler = self._identity, self._handler
        return handler.workers.infos(identity.name, handler.vsn, identity.os_pid)

    def state(self, caller: Caller, request: m.GetState) -> m.StateView:
        return self._parts.snapshots.state(request.pid, torn=False)

    def torn_state(self, caller: Caller, request: m.GetState, blocked: str) -> m.StateView:
        return structs.replace(self._parts.snapshots.state(request.pid, torn=True), blocked=blocked)

    # ------------------------------------------------------------------ releases

    def client_gone(self, routing_id: bytes) -> None:
        """Stop making the plan of a client that has gone, and drop its uploads. Called in the control thread."""
        self._parts.uploads.client_gone(routing_id)
        with suppress(RuntimeError):  # the event loop has ended
            self._runtime.loop.call_soon_threadsafe(self._plans.drop, routing_id)

    async def plan(self, caller: Caller, request: m.MakePlan) -> m.Plan:
        self._processes.drop_ended()
        plan = await self._plans.plan(caller.connection, request.vsn)
        return structs.replace(plan, approval=self._handler.approvals.of_plan(plan, caller.name))

    def stage_begin(self, caller: Caller, request: m.StageBegin) -> m.Upload:
        return m.Upload(upload=self._parts.uploads.begin(request, caller.connection))

    def stage_chunk(self, caller: Caller, request: m.StageChunk) -> m.Empty:
        self._parts.uploads.add(request, caller.connection)
        return m.Empty()

    def stage_end(self, caller: Caller, request: m.StageEnd) -> m.ReleaseInfo:
        tarball = self._parts.uploads.end(request.upload, caller.connection)
        try:
            how = StageRequest(caller.name, request.allow_older, self._identity.development)
            release = self._handler.stage(tarball, how)
        finally:
            self._parts.uploads.discard(tarball)
        self._parts.emit_release_event(f"{caller.name} staged release {release.vsn}, {signature_text(release)}")
        return release

    def staged_file(self, request: m.StageEnd) -> str:
        name = self._parts.uploads.file_name(request.upload)
        return f"{name}, even if it is an older build" if request.allow_older else name

    def approve(self, caller: Caller, request: m.Approve) -> m.Approval:
        approval = self._handler.approvals.approve(request, caller.name)
        self._parts.emit_release_event(f"{caller.name} approved release {approval.vsn}")
        return approval

    def install(self, caller: Caller, request: m.Install) -> m.OperationStarted:
        self._processes.drop_ended()
        self._handler.approvals.check(request, caller.name)
        return m.OperationStarted(operation=self._handler.install(request, caller.name, caller.claim))

    def rollback(self, caller: Caller, request: m.Rollback) -> m.OperationStarted:
        self._processes.drop_ended()
        return m.OperationStarted(operation=self._handler.rollback(request, caller.name, caller.claim))

    def abort(self, caller: Caller, request: m.Abort) -> m.OperationStarted:
        return m.OperationStarted(operation=self._handler.abort(request, caller.name, caller.claim))

    async def commit(self, caller: Caller, request: m.Commit) -> m.Operation:
        return await self._handler.commit(request, caller.name, caller.claim)

    async def remove(self, caller: Caller, request: m.ReleaseVsn) -> m.ReleaseList:
        await self._handler.remove(request.vsn)
        self._parts.emit_release_event(f"{caller.name} removed release {request.vsn}")
        return self.releases(caller, m.Empty())

    # ------------------------------------------------------------------ the node

    def stop(self, caller: Caller, request: m.StopNode) -> m.Empty:
        asyncio.get_running_loop().call_soon(self._stop, request.restart)
        return m.Empty()


@cache
def _runtime_version() -> str:
    try:
        return version("hotdash")
    except PackageNotFoundError:
        return "unknown"

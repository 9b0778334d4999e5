"""What the node answers to each method: the table's right-hand side."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

from msgspec import structs

from node_runtime.behaviours.show.value_readers import escape
from node_runtime.behaviours.supervision import management
from node_runtime.behaviours.supervision.supervisor import SupervisorProcess
from node_runtime.processes.pid import ROOT
from node_runtime.processes.process import Process
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.wire import MAX_REQUEST

from .audit_log import Audit
from .dispatch import Caller, Entry
from .event_log import EventLog
from .snapshots import Observer, Picture
from .uploads import Uploads
from .vitals import Meter


class Rehearsals(Protocol):
    """Tells a listener, on the event loop, the release, how many processes have been rehearsed, and of how many."""

    def subscribe(self, listener: Callable[[str, int, int], None]) -> Callable[[], None]: ...


class ReleaseHandler(Protocol):
    """What the control endpoint needs of the node's release handler. All may raise Refused.

    `releases`, `operation` and `operations` are called in the control thread, while the event loop may be
    blocked; `stage` in a worker thread; the others on the event loop. A listener gets the operation at each of its
    changes, and one of `rehearsals` how far one is.
    """

    vsn: str

    @property
    def rehearsals(self) -> Rehearsals: ...
    @property
    def permanent(self) -> str: ...
    @property
    def generation(self) -> int: ...
    def releases(self) -> tuple[m.ReleaseInfo, ...]: ...
    def operation(self, id: str | None) -> m.Operation: ...
    def operations(self, limit: int) -> tuple[m.Operation, ...]: ...
    def stage(self, tarball: Path) -> m.ReleaseInfo: ...
    async def plan(self, vsn: str) -> m.Plan: ...
    def install(self, request: m.Install, who: str) -> str: ...
    def rollback(self, request: m.Rollback, who: str) -> str: ...
    async def commit(self, request: m.Commit, who: str) -> m.Operation: ...
    async def remove(self, vsn: str) -> None: ...
    def subscribe(self, listener: Callable[[m.Operation], None]) -> Callable[[], None]: ...
    def subscribe_health(self, listener: Callable[[str, m.Health], None]) -> Callable[[], None]: ...


@dataclass(frozen=True, slots=True)
class Identity:
    """What does not change while the node lives."""

    name: str
    boot_id: str
    os_pid: int
    directory: Path
    started: float
    events_port: int


class Handlers:
    """The methods of one node. What `entries` says of each thread holds for the methods here.

    `say(text)`, from any thread, publishes an event about releases; `stop(restart)` begins the node's end.
    """

    def __init__(
        self,
        identity: Identity,
        handler: ReleaseHandler,
        runtime: Runtime,
        observer: Observer,
        events: EventLog,
        audit: Audit,
        uploads: Uploads,
        meter: Meter,
        say: Callable[[str], None],
        stop: Callable[[bool], None],
    ) -> None:
        self._identity = identity
        self._handler = handler
        self._runtime = runtime
        self._observer = observer
        self._events = events
        self._audit = audit
        self._uploads = uploads
        self._meter = meter
        self._say = say
        self._stop = stop

    def entries(self) -> list[Entry[Any, Any]]:
        """The table."""
        handler, uploads = self._handler, self._uploads
        return [
            Entry(methods.HELLO, self.hello),
            Entry(methods.PING, lambda caller, asked: m.Nothing()),
            Entry(methods.SNAPSHOT, self.snapshot, "slices", otherwise=self.torn_snapshot),
            Entry(methods.STATE, self.state, "loop", otherwise=self.torn_state),
            Entry(methods.RELEASES, self.releases),
            Entry(methods.PLAN, lambda caller, asked: handler.plan(asked.vsn), "loop"),
            Entry(methods.OPERATION, lambda caller, asked: handler.operation(asked.operation)),
            Entry(methods.OPERATIONS, self.operations),
            Entry(methods.EVENTS, lambda caller, asked: m.Events(events=self._events.newest(asked.limit))),
            Entry(methods.AUDIT, lambda caller, asked: m.Audit(entries=self._audit.newest(asked.limit))),
            Entry(methods.STAGE_BEGIN, lambda caller, asked: m.Upload(upload=uploads.begin(asked))),
            Entry(methods.STAGE_CHUNK, self.stage_chunk),
            Entry(methods.STAGE_END, self.stage_end, "worker", lambda asked: uploads.file_name(asked.upload)),
            Entry(methods.INSTALL, self.install, "loop", lambda asked: asked.vsn),
            Entry(methods.COMMIT, self.commit, "loop", lambda asked: handler.vsn),
            Entry(methods.ROLLBACK, self.rollback, "loop", lambda asked: handler.permanent, remedy=True),
            Entry(methods.REMOVE, self.remove, "loop", lambda asked: asked.vsn),
            Entry(methods.RESTART_PROCESS, self.restart_process, "loop", lambda asked: f"<{asked.pid}>"),
            Entry(methods.KILL_PROCESS, self.kill_process, "loop", lambda asked: f"<{asked.pid}>"),
            Entry(methods.STOP, self.stop, "loop", lambda asked: "restart" if asked.restart else "stop"),
        ]

    # ------------------------------------------------------------------ looking, also while the loop is blocked

    def hello(self, caller: Caller, asked: m.Hello) -> m.NodeInfo:
        if asked.protocol != methods.PROTOCOL:
            raise Refused(
                f"{escape(asked.client[:40])} speaks version {asked.protocol} of the protocol, {self._identity.name} "
                f"version {methods.PROTOCOL}; use the hotdash that came with the node: `bin/<name> attach`."
            )
        caller.user = escape(asked.user[:100])
        return self.info(caller)

    def info(self, caller: Caller) -> m.NodeInfo:
        identity, handler = self._identity, self._handler
        return m.NodeInfo(
            name=identity.name,
            boot_id=identity.boot_id,
            os_pid=identity.os_pid,
            directory=str(identity.directory),
            release=next(release.name for release in handler.releases()),
            vsn=handler.vsn,
            permanent=handler.permanent,
            python=sys.version.partition(" ")[0],
            runtime=_own_version(),
            started=identity.started,
            generation=handler.generation,
            role=caller.role,
            events_port=identity.events_port,
            max_message=MAX_REQUEST,
        )

    def releases(self, caller: Caller, asked: m.Nothing) -> m.Releases:
        return m.Releases(releases=self._handler.releases())

    def operations(self, caller: Caller, asked: m.Limit) -> m.Operations:
        return m.Operations(operations=self._handler.operations(asked.limit))

    # ------------------------------------------------------------------ looking at processes

    def snapshot(self, caller: Caller, asked: m.Nothing) -> Generator[None, None, m.Snapshot]:
        seq = self._events.seq  # before the picture: what happens meanwhile is told again by its event
        picture = yield from self._observer.slices()
        return self._snapshot(caller, seq, picture, None)

    def torn_snapshot(self, caller: Caller, asked: m.Nothing, blocked: str) -> m.Snapshot:
        return self._snapshot(caller, self._events.seq, self._observer.picture(), blocked)

    def _snapshot(self, caller: Caller, seq: int, picture: Picture, blocked: str | None) -> m.Snapshot:
        newest = self._handler.operations(1)
        return m.Snapshot(
            seq=seq,
            info=self.info(caller),
            vitals=structs.replace(self._meter.latest, processes=len(picture.processes)),
            processes=picture.processes,
            children=picture.children,
            applications=picture.applications,
            modules=picture.modules,
            releases=self._handler.releases(),
            operation=newest[-1] if newest else None,
            blocked=blocked,
        )

    def state(self, caller: Caller, asked: m.GetState) -> m.StateView:
        return self._observer.state(asked.pid, torn=False)

    def torn_state(self, caller: Caller, asked: m.GetState, blocked: str) -> m.StateView:
        return structs.replace(self._observer.state(asked.pid, torn=True), blocked=blocked)

    # ------------------------------------------------------------------ releases

    def stage_chunk(self, caller: Caller, asked: m.StageChunk) -> m.Nothing:
        self._uploads.add(asked)
        return m.Nothing()

    def stage_end(self, caller: Caller, asked: m.StageEnd) -> m.ReleaseInfo:
        tarball = self._uploads.end(asked.upload)
        try:
            release = self._handler.stage(tarball)
        finally:
            self._uploads.discard(tarball)
        self._say(f"{caller.who} staged release {release.vsn}")
        return release

    def install(self, caller: Caller, asked: m.Install) -> m.Started:
        return m.Started(operation=self._handler.install(asked, caller.who))

    def rollback(self, caller: Caller, asked: m.Rollback) -> m.Started:
        return m.Started(operation=self._handler.rollback(asked, caller.who))

    async def commit(self, caller: Caller, asked: m.Commit) -> m.Operation:
        return await self._handler.commit(asked, caller.who)

    async def remove(self, caller: Caller, asked: m.Vsn) -> m.Releases:
        await self._handler.remove(asked.vsn)
        self._say(f"{caller.who} removed release {asked.vsn}")
        return self.releases(caller, m.Nothing())

    # ------------------------------------------------------------------ processes

    async def restart_process(self, caller: Caller, asked: m.Target) -> m.Nothing:
        process = self._target(asked)
        supervisor = self._runtime.processes.get(process.parent)
        table = supervisor.raw_state() if isinstance(supervisor, SupervisorProcess) else None
        child = None if table is None else table.by_pid.get(process.pid)
        if supervisor is None or child is None:
            raise Refused(f"{process.title()} has no supervisor that could restart it; kill it if it has to go.")
        if child.spec.restart == "temporary":
            raise Refused(
                f"{process.title()} is temporary, so its supervisor never restarts it; kill it if it has to go."
            )
        await management.terminate_child(supervisor.pid, child.spec.id)
        await management.restart_child(supervisor.pid, child.spec.id)
        return m.Nothing()

    def kill_process(self, caller: Caller, asked: m.Target) -> m.Nothing:
        self._runtime.signal(self._target(asked), ROOT, "kill")
        return m.Nothing()

    def _target(self, asked: m.Target) -> Process:
        if asked.boot_id != self._identity.boot_id:
            raise Refused(
                f"{self._identity.name} was restarted since, so <{asked.pid}> is another process; look again."
            )
        process = self._runtime.processes.get(asked.pid)
        if process is None:
            raise Refused(f"Process <{asked.pid}> has ended; look at the tree for what runs in its place.")
        return process

    # ------------------------------------------------------------------ the node

    def stop(self, caller: Caller, asked: m.StopNode) -> m.Nothing:
        asyncio.get_running_loop().call_soon(self._stop, asked.restart)
        return m.Nothing()


def _own_version() -> str:
    try:
        return version("hotdash")
    except PackageNotFoundError:
        return "unknown"

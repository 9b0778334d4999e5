"""Everything the dashboard knows of its node, as one immutable value, and how it follows from what is heard."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import msgspec

from node_runtime.protocol import messages as m

from .connection import Connection
from .selection import ProcessKey
from .units import age
from .vitals import VitalsHistory

MAX_LOG_EVENTS = 500
MAX_OPERATIONS = 50
_TAKE_OVER = ("installed", "committed", "reverted")


@dataclass(frozen=True, slots=True)
class NodeRestart:
    """The node was found to have booted anew; `at` is when that was noticed."""

    at: float
    before: m.NodeInfo


@dataclass(frozen=True, slots=True)
class StateSample:
    """What was seen of the state of one process: `before` is the look before this one, `refused` why there is none."""

    key: ProcessKey
    view: m.StateView | None = None
    before: m.StateView | None = None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class NodeView:
    """What is known of the node called `name`. `heard` is the local time of its last word; 0 is never."""

    name: str
    connection: Connection = field(default_factory=Connection)
    last_heard: float = 0.0
    snapshot: m.Snapshot | None = None
    history: VitalsHistory = field(default_factory=VitalsHistory)
    log: tuple[m.Event, ...] = ()
    operations: tuple[m.Operation, ...] = ()
    sample: StateSample | None = None
    restart: NodeRestart | None = None

    # -------------------------------------------------------------- what is heard

    def with_connection(self, connection: Connection) -> NodeView:
        """The connection changed; the picture stays."""
        return replace(self, connection=connection)

    def with_snapshot(self, snapshot: m.Snapshot, now: float) -> NodeView:
        """A new picture. Another boot than before is remembered as a restart, and its vitals begin anew."""
        restart, history = self.restart, self.history
        if self.snapshot is not None and self.snapshot.info.boot_id != snapshot.info.boot_id:
            restart, history = NodeRestart(now, self.snapshot.info), VitalsHistory()
        view = replace(
            self,
            snapshot=snapshot,
            last_heard=now,
            restart=restart,
            history=history.add(snapshot.vitals),
        )
        return view.with_operation(snapshot.operation) if snapshot.operation is not None else view

    def with_event(self, event: m.Event, now: float) -> NodeView:
        """Something happened. Vitals go into the history, operations to their kind, the rest into the log."""
        view = replace(self, last_heard=now)
        if event.vitals is not None:
            view = replace(view, history=view.history.add(event.vitals))
            if view.snapshot is not None and view.snapshot.info.boot_id == event.boot_id:
                view = replace(view, snapshot=_with_vitals(view.snapshot, event.vitals))
        if event.operation is not None:
            view = view.with_operation(event.operation)
        return view.with_log((event,)) if event.kind != "vitals" else view

    def with_log(self, events: tuple[m.Event, ...]) -> NodeView:
        """With more of the node's log; what is known already is not repeated."""
        merged = {(event.boot_id, event.seq): event for event in (*self.log, *events) if event.text}
        ordered = sorted(merged.values(), key=lambda event: (event.at, event.seq))
        return replace(self, log=tuple(ordered[-MAX_LOG_EVENTS:]))

    def with_operation(self, operation: m.Operation) -> NodeView:
        """A newer picture of an operation, or a new operation; an ended one is never reopened by a late message."""
        known = {known.id: known for known in self.operations}
        before = known.get(operation.id)
        if before is None or before.ended is None or operation.ended is not None:
            if before is not None and before.results and not operation.results:
                operation = msgspec.structs.replace(operation, results=before.results)
            known[operation.id] = operation
        ordered = sorted(known.values(), key=lambda one: one.started)
        taken = [index for index, one in enumerate(ordered) if one.outcome in _TAKE_OVER]
        for index in taken[:-1]:
            ordered[index] = msgspec.structs.replace(ordered[index], probation_until=None)
        return replace(self, operations=tuple(ordered[-MAX_OPERATIONS:]))

    def with_state(self, key: ProcessKey, view: m.StateView) -> NodeView:
        """The state of the selected process; the one before is kept to show what moves."""
        before = self.sample.view if self.sample is not None and self.sample.key == key else None
        return replace(self, sample=StateSample(key, view, before))

    def without_state(self, key: ProcessKey, sentence: str) -> NodeView:
        """The node did not tell the state, and why; what it told before of the same process stays."""
        last = self.sample if self.sample is not None and self.sample.key == key else StateSample(key)
        return replace(self, sample=replace(last, refused=sentence))

    # -------------------------------------------------------------- what is asked

    def fresh(self, now: float) -> bool:
        """Whether the picture may be taken for the present."""
        return self.connection.fresh(self.last_heard, now)

    def node_now(self, now: float) -> float:
        """The node's own clock, by its last vitals, so that a skewed clock doesn't bend its deadlines."""
        if not self.history.samples:
            return now
        return self.history.samples[-1].at + max(0.0, now - self.last_heard)

    def process(self, key: ProcessKey) -> m.ProcessInfo | None:
        """The live process with this identity, if it is in the picture."""
        if self.snapshot is None or self.snapshot.info.boot_id != key.boot_id:
            return None
        return next((process for process in self.snapshot.processes if process.pid == key.pid), None)

    def operation(self, operation_id: str | None) -> m.Operation | None:
        """The operation with this id."""
        return next((one for one in self.operations if one.id == operation_id), None)

    def unfinished(self) -> tuple[m.Operation, ...]:
        """Operations of which no end has been reported."""
        return tuple(one for one in self.operations if one.ended is None)

    def release(self, vsn: str) -> m.ReleaseInfo | None:
        """The release with this version."""
        if self.snapshot is None:
            return None
        return next((release for release in self.snapshot.releases if release.vsn == vsn), None)

    def running(self) -> m.ReleaseInfo | None:
        """The release that runs."""
        return self.release(self.snapshot.info.vsn) if self.snapshot is not None else None

    def draining(self) -> tuple[m.ModuleInfo, ...]:
        """The modules of which an old version is still loaded."""
        return tuple(module for module in self.snapshot.modules if module.old_vsn) if self.snapshot else ()

    def notice(self, now: float) -> str:
        """The one sentence above everything else that an operator must not miss; empty when there is none."""
        if self.connection.state == "lost":
            retry = self.connection.retry_at
            again = f" Trying again in {age(retry - now)}." if retry is not None and retry - now >= 1 else ""
            kept = f" What you see is {age(now - self.last_heard)} old." if self.snapshot is not None else ""
            return f"{self.connection.sentence}{kept}{again}"
        if self.snapshot is not None and not self.fresh(now) and self.connection.state == "live":
            return f"{self.name} has been silent for {age(now - self.last_heard)}; what you see is as old."
        if self.snapshot is not None and self.snapshot.blocked is not None:
            return self.snapshot.blocked
        if self.restart is not None and self.snapshot is not None and now - self.restart.at < 60:
            up = age(self.node_now(now) - self.snapshot.info.started)
            runs, ran = self.snapshot.info.vsn, self.restart.before.vsn
            as_before = ", as before" if runs == ran else f"; before, it ran {ran}"
            return f"{self.name} was restarted {up} ago and runs {runs}{as_before}. Every process is new."
        return ""


def _with_vitals(snapshot: m.Snapshot, vitals: m.Vitals) -> m.Snapshot:
    if vitals.at <= snapshot.vitals.at:
        return snapshot
    return msgspec.structs.replace(snapshot, vitals=vitals)

"""The known state of the node as one immutable value. Each message from the node results in a new value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import msgspec

from node_runtime.protocol import messages as m

from .connection import Connection
from .process_tree import label_of, title_of
from .selection import ProcessKey
from .styled_text import Tone
from .units import age
from .vitals import VitalsHistory, blocked_words
from .windows import ProcessWindow, TreeWindow

MAX_LOG_EVENTS = 500
MAX_OPERATIONS = 50
_RELEASE_CHANGES = ("installed", "committed", "reverted")


@dataclass(frozen=True, slots=True)
class NodeRestart:
    """A restart of the node, which the dashboard noticed at the local time `at`.

    `before` describes the node before the restart, and `after` the node when the restart was noticed.
    """

    at: float
    before: m.NodeInfo
    after: m.NodeInfo


@dataclass(frozen=True, slots=True)
class StateSample:
    """The newest state of one process (`view`) and the state before it.

    `refused` is the sentence with which the node refused to send a newer state, or empty.
    """

    key: ProcessKey
    view: m.StateView | None = None
    before: m.StateView | None = None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class NodeView:
    """The known state of the node `name`. `last_heard` is the local time of its last message, or 0."""

    name: str
    connection: Connection = field(default_factory=Connection)
    last_heard: float = 0.0
    snapshot: m.NodeSummary | None = None
    history: VitalsHistory = field(default_factory=VitalsHistory)
    log: tuple[m.NodeEvent, ...] = ()
    operations: tuple[m.Operation, ...] = ()
    sample: StateSample | None = None
    restart: NodeRestart | None = None
    old_code: tuple[m.OldCode, ...] = ()
    tree: TreeWindow | None = None
    processes: ProcessWindow | None = None
    names: dict[int, str] = field(default_factory=dict)
    """The titles of processes that old code may refer to, by pid."""

    # -------------------------------------------------------------- updates

    def with_connection(self, connection: Connection) -> NodeView:
        """Return the view with another connection state and the same snapshot."""
        return replace(self, connection=connection)

    def with_snapshot(self, snapshot: m.NodeSummary, now: float) -> NodeView:
        """Return the view with a new snapshot. If the node has restarted, record that and clear the old vitals."""
        restart, history = self.restart, self.history
        if self.snapshot is not None and self.snapshot.info.boot_id != snapshot.info.boot_id:
            restart, history = NodeRestart(now, self.snapshot.info, snapshot.info), VitalsHistory()
        view = replace(
            self,
            snapshot=snapshot,
            last_heard=now,
            restart=restart,
            history=history.add(snapshot.vitals),
        )
        return view.with_operation(snapshot.operation) if snapshot.operation is not None else view

    def with_event(self, event: m.NodeEvent, now: float) -> NodeView:
        """Return the view after an event: with the event's vitals, operation and text."""
        view = replace(self, last_heard=now)
        if event.vitals is not None:
            view = replace(view, history=view.history.add(event.vitals))
            if view.snapshot is not None and view.snapshot.info.boot_id == event.boot_id:
                view = replace(view, snapshot=_with_vitals(view.snapshot, event.vitals))
        if event.operation is not None:
            view = view.with_operation(event.operation)
        return view.with_log((event,)) if event.kind != "vitals" else view

    def with_texts(self, events: tuple[m.NodeEvent, ...], now: float) -> NodeView:
        """Return the view after events that have only a text."""
        return replace(self, last_heard=max(self.last_heard, now)).with_log(events)

    def with_log(self, events: tuple[m.NodeEvent, ...]) -> NodeView:
        """Return the view with more events in its log; known events are not added again."""
        merged = {(event.boot_id, event.seq): event for event in (*self.log, *events) if event.text}
        ordered = sorted(merged.values(), key=lambda event: (event.at, event.seq))
        return replace(self, log=tuple(ordered[-MAX_LOG_EVENTS:]))

    def with_operation(self, operation: m.Operation) -> NodeView:
        """Return the view with a new or updated operation; a late message never reopens an ended operation."""
        known = {known.id: known for known in self.operations}
        before = known.get(operation.id)
        if before is None or before.ended is None or operation.ended is not None:
            if before is not None and before.results and not operation.results:
                operation = msgspec.structs.replace(operation, results=before.results)
            known[operation.id] = operation
        ordered = sorted(known.values(), key=lambda one: one.started)
        release_changes = [index for index, one in enumerate(ordered) if one.outcome in _RELEASE_CHANGES]
        for index in release_changes[:-1]:
            ordered[index] = msgspec.structs.replace(ordered[index], probation_until=None)
        return replace(self, operations=tuple(ordered[-MAX_OPERATIONS:]))

    def with_tree(self, tree: TreeWindow, now: float) -> NodeView:
        """Return the view with newly read lines of the tree."""
        return replace(self, tree=tree, last_heard=now, snapshot=self._blocked(tree.page.blocked))

    def with_processes(self, processes: ProcessWindow, now: float) -> NodeView:
        """Return the view with newly read rows of the list of processes."""
        return replace(self, processes=processes, last_heard=now, snapshot=self._blocked(processes.page.blocked))

    def _blocked(self, blocked: str | None) -> m.NodeSummary | None:
        if self.snapshot is None or self.snapshot.blocked == blocked:
            return self.snapshot
        return msgspec.structs.replace(self.snapshot, blocked=blocked)

    def with_state(self, key: ProcessKey, view: m.StateView) -> NodeView:
        """Return the view with a state of the selected process; the state before it is kept to show the changes."""
        before = self.sample.view if self.sample is not None and self.sample.key == key else None
        return replace(self, sample=StateSample(key, view, before))

    def without_state(self, key: ProcessKey, sentence: str) -> NodeView:
        """Return the view with the node's refusal to send a state; an earlier state of the same process stays."""
        last = self.sample if self.sample is not None and self.sample.key == key else StateSample(key)
        return replace(self, sample=replace(last, refused=sentence))

    # -------------------------------------------------------------- queries

    def fresh(self, now: float) -> bool:
        """Return whether the snapshot is up to date."""
        return self.connection.fresh(self.last_heard, now)

    def node_now(self, now: float) -> float:
        """Return the time on the node's clock, computed from its last vitals. The local clock may differ."""
        if not self.history.samples:
            return now
        return self.history.samples[-1].at + max(0.0, now - self.last_heard)

    def process(self, key: ProcessKey) -> m.ProcessSummary | None:
        """Return the live process with this identity; None unless it is selected or in the known rows of a view."""
        for window in (self.tree, self.processes):
            if window is not None and window.page.boot_id == key.boot_id and key.pid in window.rows:
                return window.rows[key.pid]
        if (
            self.sample is not None
            and self.sample.key == key
            and self.sample.view is not None
            and not self.sample.refused
        ):
            return self.sample.view.process
        return None

    def titles(self) -> dict[int, str]:
        """Return the titles of the known processes, by pid."""
        rows = {**(self.tree.rows if self.tree else {}), **(self.processes.rows if self.processes else {})}
        return {**self.names, **{pid: title_of(row) for pid, row in rows.items()}}

    def labels(self) -> dict[int, str]:
        """Return the titles of the known processes with their arguments, by pid."""
        rows = {**(self.tree.rows if self.tree else {}), **(self.processes.rows if self.processes else {})}
        return {pid: label_of(row) for pid, row in rows.items()}

    def operation(self, operation_id: str | None) -> m.Operation | None:
        """Return the operation with this id, if known."""
        return next((one for one in self.operations if one.id == operation_id), None)

    def unfinished(self) -> tuple[m.Operation, ...]:
        """Return the operations that have not ended, as far as the node has reported."""
        return tuple(one for one in self.operations if one.ended is None)

    def release(self, vsn: str) -> m.ReleaseInfo | None:
        """Return the release with this version, if known."""
        if self.snapshot is None:
            return None
        return next((release for release in self.snapshot.releases if release.vsn == vsn), None)

    def running(self) -> m.ReleaseInfo | None:
        """Return the running release, if known."""
        return self.release(self.snapshot.info.vsn) if self.snapshot is not None else None

    def old_versions(self) -> tuple[m.ModuleInfo, ...]:
        """Return the modules whose old version is still loaded."""
        return tuple(module for module in self.snapshot.modules if module.old_vsn) if self.snapshot else ()

    def badge(self, now: float) -> tuple[str, Tone]:
        """Return the state of the connection and of the event loop in a few words."""
        blocked = blocked_words(self.history, self.last_heard, now)
        return self.connection.badge(self.last_heard, now, blocked)

    def way_out(self) -> str:
        """Return a sentence that says how an operator restarts a node whose event loop is blocked."""
        name = self.snapshot.info.release if self.snapshot is not None else "<name>"
        return f"If it stays blocked, 'bin/{name} restart' restarts the node; the states of all processes are lost."

    def draining(self) -> tuple[m.ModuleInfo, ...]:
        """Return the modules whose old version a process or a task still runs."""
        return tuple(module for module in self.old_versions() if module.old_pids or module.old_tasks)

    def notice(self, now: float) -> str:
        """Return the most urgent sentence for the top of the screen; an empty string if there is none."""
        if self.connection.state == "lost":
            retry = self.connection.retry_at
            retrying = f" Reconnecting in {age(retry - now)}." if retry is not None and retry - now >= 1 else ""
            kept = f" The display is {age(now - self.last_heard)} old." if self.snapshot is not None else ""
            return f"{self.connection.sentence}{kept}{retrying}"
        if self.snapshot is not None and not self.fresh(now) and self.connection.state == "live":
            return f"{self.name} has not sent a message for {age(now - self.last_heard)}, so the display is that old."
        if words := blocked_words(self.history, self.last_heard, now):
            return f"{words}. {self.way_out()}"
        if self.snapshot is not None and self.snapshot.blocked is not None:
            blocked = self.snapshot.blocked
            return f"{blocked[:1].upper()}{blocked[1:]}."
        if self.restart is not None and self.snapshot is not None and now - self.restart.at < 60:
            up = age(self.node_now(now) - self.snapshot.info.started)
            booted, ran = self.restart.after.vsn, self.restart.before.vsn
            as_before = ", as before" if booted == ran else f"; before the restart it ran {ran}"
            runs = f"runs {booted}" if self.snapshot.info.vsn == booted else f"booted {booted}"
            return f"{self.name} was restarted {up} ago and {runs}{as_before}. Every process is new."
        return ""


def _with_vitals(snapshot: m.NodeSummary, vitals: m.Vitals) -> m.NodeSummary:
    if vitals.at <= snapshot.vitals.at:
        return snapshot
    return msgspec.structs.replace(snapshot, vitals=vitals)

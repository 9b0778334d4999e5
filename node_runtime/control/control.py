"""The control plane of a node, assembled from keys, sockets, method table, events and audit log."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from node_runtime.code import CodeServer
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol.cookie import ROLES, key_text
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.key_files import RESERVED_NAMES
from node_runtime.protocol.messages import AuditEntry, Health, Operation
from node_runtime.protocol.run_directory import update_record

from .audit import AuditLog, Refusals, open_audit_log
from .control_thread import ControlCallbacks, ControlThread
from .dispatch import Dispatcher
from .event_log import EventLog
from .event_source import EventSource
from .gateway.limits import GatewayLimits
from .handlers.node_identity import NodeIdentity
from .handlers.other_workers import entries_of_worker
from .health_signs.loop_watch import LoopWatch
from .live_key_ring import LiveKeyRing, LiveNodeKey, keys_at_start
from .loop_bridge import LoopBridge
from .method_handlers import ControlParts, MethodHandlers, ReleaseOperations
from .security import Security
from .snapshots import SnapshotReader
from .uploads import Uploads
from .vitals import VitalsMeter

logger: Final = logging.getLogger("node_runtime.control")

_NEW_STATUS: Final = {"installed": "current", "reverted": "current", "committed": "permanent"}
"""The release status that follows from an operation's outcome."""
VITALS_INTERVAL_SECONDS: Final = 1.0


class Control:
    """A node's control plane. Create, start and stop it on the event loop of `runtime`.

    `listen` is "host:port", where port 0 chooses a free port.
    `on_stop(restart)` is called on the event loop when an operator requests that the node stops or restarts.
    """

    def __init__(
        self,
        handler: ReleaseOperations,
        runtime: Runtime,
        code: CodeServer,
        identity: NodeIdentity,
        *,
        on_stop: Callable[[bool], None],
        listen: str = "127.0.0.1:0",
    ) -> None:
        self._handler = handler
        self._runtime = runtime
        self._code = code
        self._identity = identity
        self._on_stop = on_stop
        self._host, self._port = _host_and_port(listen)
        self.limits = GatewayLimits()
        """The limits of the gateway, which `start` starts."""
        self._closers: list[Callable[[], object]] = []

    def start(self) -> int:
        """Start the gateway and the control thread; return the port.

        Raises Refused when the address can't be used, or when a test client with an unknown key is not refused.
        """
        self._keys = keys = keys_at_start(self._identity.directory)
        ring = LiveKeyRing(self._identity.directory)
        self._thread = ControlThread(keys, ring.valid, self.limits)
        self._closers.append(self._thread.stop)
        try:
            port = self._thread.open(self._host, self._port)
            dispatch = self._prepare(asyncio.get_running_loop(), ring)
            self._thread.start(ControlCallbacks(dispatch.take, dispatch.forget, self._security.logins_refused))
        except BaseException:
            self.stop()
            raise
        return port

    @property
    def host(self) -> str:
        """The host to which a client on this machine connects."""
        return "127.0.0.1" if self._host in ("*", "0.0.0.0") else self._host

    @property
    def public_key(self) -> str:
        """The node's public key as text. Known after `start`."""
        return key_text(self._keys.public)

    def record(self, entry: AuditEntry) -> None:
        """Write an entry about the node to its audit log."""
        self._thread.run(lambda: self._security.record(entry))

    def record_boot(self, subject: str, previous_end: str, reason: str | None) -> None:
        """Write to the audit log what boots and why, and how the previous run ended if the parent knows it."""
        self._thread.run(lambda: self._security.record_boot(subject, previous_end, reason))

    def stop(self) -> None:
        """Send the pending replies, then end the control thread."""
        while self._closers:
            self._closers.pop()()

    # ------------------------------------------------------------------ inside

    def _prepare(self, loop: asyncio.AbstractEventLoop, ring: LiveKeyRing) -> Dispatcher:
        thread, identity = self._thread, self._identity
        audit = open_audit_log(identity.directory)
        audit.worker = None if identity.place.leads else identity.place.number
        uploads = Uploads(identity.place.var(identity.directory) / "staging")
        events = EventLog(identity.boot_id, thread.publish)
        security = self._security = self._make_security(ring, audit, events)
        bridge = LoopBridge(loop, threading.get_ident(), thread.run, thread.later)
        watch = LoopWatch(loop, bridge.short_place)
        meter = VitalsMeter(self._runtime, watch, identity.started)
        parts = ControlParts(
            snapshots=SnapshotReader(self._runtime, self._code),
            meter=meter,
            events=events,
            thread=thread,
            emit_release_event=lambda text: thread.run(lambda: events.emit("release", text)),
            audit=audit,
            uploads=uploads,
        )
        self._handler.workers.on_event = parts.emit_release_event
        handlers = MethodHandlers(identity, self._handler, self._runtime, parts, self._on_stop)
        entries = entries_of_worker(handlers.entries(), identity.place, identity.name)
        dispatch = Dispatcher(entries, thread, bridge, security, identity.own_name, handlers.client_gone)

        def publish_vitals() -> None:
            thread.later(VITALS_INTERVAL_SECONDS, publish_vitals)
            events.emit("vitals", vitals=meter.measure())
            if report := watch.take_report():
                events.emit("log", f"warning: {report}")

        thread.run(publish_vitals)
        thread.run(security.watch_keys)
        thread.run(self._live_node_key(security).watch)
        event_source = EventSource(self._runtime, events, thread.run, thread.later)
        self._closers = [
            security.refusals.flush,
            thread.stop,
            uploads.close,
            dispatch.close,
            event_source.close,
        ]
        self._closers.append(
            self._handler.subscribe(lambda operation: thread.run(lambda: self._report(events, audit, operation)))
        )
        self._closers.append(
            self._handler.rehearsals.subscribe(
                lambda vsn, done, of: thread.run(
                    lambda: events.emit(
                        "rehearsal", f"rehearsal for release {vsn}: {done} of {of} process{'es' * (of != 1)}"
                    )
                )
            )
        )
        self._closers.append(
            self._handler.subscribe_health(lambda vsn, health: thread.run(lambda: _emit_health(events, vsn, health)))
        )
        return dispatch

    def _report(self, events: EventLog, audit: AuditLog, operation: Operation) -> None:
        """Publish the progress of an operation. After its end, first write the running release to the node's record."""
        if operation.ended is not None:
            identity = self._identity
            try:
                update_record(identity.own_name, identity.boot_id, vsn=self._handler.vsn)
            except (Refused, OSError) as error:
                logger.warning("`hotdash nodes` shows a former release; the node's record can't be written: %s", error)
        _publish(events, audit, operation)

    def _live_node_key(self, security: Security) -> LiveNodeKey:
        identity, thread = self._identity, self._thread

        def on_replaced(secret: bytes) -> None:
            thread.set_secret_key(secret)
            self._keys = replace(self._keys, secret=secret)
            try:
                update_record(identity.own_name, identity.boot_id, server=self.public_key)
            except (Refused, OSError) as error:
                logger.error(
                    "clients of this machine can't connect until the next boot, because the run directory has no "
                    "record of the new key: %s",
                    error,
                )
            security.note("node_key", f"the node's own key was replaced by {self.public_key}", "in effect")

        def on_planned(sentences: str) -> None:
            security.note("node_key", sentences, "planned")

        return LiveNodeKey(identity.directory, self._keys.secret, thread.later, on_planned, on_replaced)

    def _make_security(self, ring: LiveKeyRing, audit: AuditLog, events: EventLog) -> Security:
        def announce(text: str) -> None:
            events.emit("audit", text)

        later = self._thread.later
        refusals = Refusals(audit.write, announce, later)
        return Security(ring, audit, refusals, announce, later, self._thread.set_keys)


def _emit_health(events: EventLog, vsn: str, health: Health) -> None:
    events.emit("release", f"release {vsn} is on probation, health {health.verdict}: {health.finding}")


def _publish(events: EventLog, audit: AuditLog, operation: Operation) -> None:
    """Publish the progress of an operation as an event; when it has ended, write its outcome to the audit log."""
    progress = operation.outcome or operation.phase
    preposition = "of" if operation.kind in ("install", "commit") else "to"
    line = f"{operation.kind} {preposition} {operation.to_vsn} by {operation.by}: {progress}"
    events.emit("operation", f"{line}: {operation.error}" if operation.error else line, operation=operation)
    if operation.ended is None:
        return
    if operation.outcome in _NEW_STATUS:
        events.emit("release", f"release {operation.ended_in} is now {_NEW_STATUS[operation.outcome]}")
    if operation.kind == "commit":
        return  # the audit log already has its outcome, from the reply to the request
    audit.write(
        AuditEntry(
            at=operation.ended,
            who=operation.who,
            role="node" if operation.who in RESERVED_NAMES - {*ROLES} else "operator",
            peer="",
            method=operation.kind,
            subject=f"{operation.to_vsn}, operation {operation.id}",
            phase="outcome",
            claim=operation.claim,
            reason=operation.reason,
            plan_id=operation.plan_id,
            outcome=operation.outcome,
        )
    )


def _host_and_port(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise Refused(f"`listen` in node.toml is {listen!r}, not host:port; 127.0.0.1:0 chooses a free port.")
    return host, int(port)

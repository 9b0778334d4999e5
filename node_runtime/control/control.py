"""The control plane of a node, assembled from keys, sockets, method table, events and audit log."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Final

from node_runtime.code import CodeServer
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol.cookie import ROLES, make_keys
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.key_files import RESERVED_NAMES
from node_runtime.protocol.messages import AuditEntry, Health, Operation

from .access_selftest import require_refusal
from .audit import AuditLog, Refusals, open_audit_log
from .dispatch import Dispatcher
from .event_log import EventLog
from .event_source import EventSource
from .live_key_ring import LiveKeyRing
from .loop_bridge import LoopBridge
from .method_handlers import ControlParts, MethodHandlers, NodeIdentity, ReleaseOperations
from .security import Security
from .snapshots import SnapshotReader
from .sockets import ControlSockets
from .uploads import Uploads
from .vitals import VitalsMeter

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
        self._closers: list[Callable[[], object]] = []

    def start(self) -> tuple[int, int]:
        """Open the sockets; return the port for requests and the port for events.

        Raises Refused when the address can't be used, or when a test client with an unknown key is not refused.
        """
        keys = make_keys(self._identity.directory)
        ring = LiveKeyRing(self._identity.directory)
        self._sockets = ControlSockets(keys, ring.valid)
        self._closers.append(self._sockets.stop)
        try:
            ports = self._sockets.bind(self._host, self._port)
            self._sockets.start(self._prepare(asyncio.get_running_loop(), ring, ports[1]).take)
            for port in ports:
                require_refusal(keys.public, self.host, port)
            self._sockets.run(self._record_refused_logins)
        except BaseException:
            self.stop()
            raise
        return ports

    @property
    def host(self) -> str:
        """The host to which a client on this machine connects."""
        return "127.0.0.1" if self._host in ("*", "0.0.0.0") else self._host

    def record(self, entry: AuditEntry) -> None:
        """Write an entry about the node to its audit log."""
        self._sockets.run(lambda: self._security.record(entry))

    def record_boot(self, subject: str, previous_end: str, reason: str | None) -> None:
        """Write to the audit log what boots and why, and how the previous run ended, as far as the parent knows."""
        self._sockets.run(lambda: self._security.record_boot(subject, previous_end, reason))

    def stop(self) -> None:
        """Send the pending replies, then close the sockets."""
        while self._closers:
            self._closers.pop()()

    # ------------------------------------------------------------------ inside

    def _record_refused_logins(self) -> None:
        """Begin after the self-test, whose logins are refused, too."""
        self._sockets.on_login_refused = self._security.login_refused

    def _prepare(self, loop: asyncio.AbstractEventLoop, ring: LiveKeyRing, events_port: int) -> Dispatcher:
        sockets, identity = self._sockets, self._identity
        audit = open_audit_log(identity.directory)
        uploads = Uploads(identity.directory / "var" / "staging")
        events = EventLog(identity.boot_id, sockets.publish)
        security = self._security = self._make_security(ring, audit, events)
        meter = VitalsMeter(self._runtime, loop, identity.started)
        parts = ControlParts(
            snapshots=SnapshotReader(self._runtime, self._code),
            meter=meter,
            events=events,
            events_port=events_port,
            emit_release_event=lambda text: sockets.run(lambda: events.emit("release", text)),
            audit=audit,
            uploads=uploads,
        )
        handlers = MethodHandlers(identity, self._handler, self._runtime, parts, self._on_stop)
        bridge = LoopBridge(loop, threading.get_ident(), sockets.run, sockets.later)
        dispatch = Dispatcher(handlers.entries(), sockets, bridge, security, identity.name, handlers.client_gone)

        def publish_vitals() -> None:
            sockets.later(VITALS_INTERVAL_SECONDS, publish_vitals)
            events.emit("vitals", vitals=meter.measure())

        sockets.run(publish_vitals)
        sockets.run(security.watch_keys)
        event_source = EventSource(self._runtime, events, sockets.run, sockets.later)
        self._closers = [
            sockets.stop,
            lambda: sockets.run(security.refusals.flush),
            uploads.close,
            dispatch.close,
            event_source.close,
        ]
        self._closers.append(
            self._handler.subscribe(lambda operation: sockets.run(lambda: _publish(events, audit, operation)))
        )
        self._closers.append(
            self._handler.rehearsals.subscribe(
                lambda vsn, done, of: sockets.run(
                    lambda: events.emit(
                        "rehearsal", f"rehearsal for release {vsn}: {done} of {of} process{'es' * (of != 1)}"
                    )
                )
            )
        )
        self._closers.append(
            self._handler.subscribe_health(lambda vsn, health: sockets.run(lambda: _emit_health(events, vsn, health)))
        )
        return dispatch

    def _make_security(self, ring: LiveKeyRing, audit: AuditLog, events: EventLog) -> Security:
        def announce(text: str) -> None:
            events.emit("audit", text)

        later = self._sockets.later
        refusals = Refusals(audit.write, announce, later)
        return Security(ring, audit, refusals, announce, later, self._sockets.set_keys)


def _emit_health(events: EventLog, vsn: str, health: Health) -> None:
    events.emit("release", f"release {vsn} is on probation, health {health.verdict}: {health.finding}")


def _publish(events: EventLog, audit: AuditLog, operation: Operation) -> None:
    """Publish the progress of an operation as an event, and write its end to the audit log."""
    progress = operation.outcome or operation.phase
    preposition = "of" if operation.kind in ("install", "commit") else "to"
    line = f"{operation.kind} {preposition} {operation.to_vsn} by {operation.by}: {progress}"
    events.emit("operation", f"{line}: {operation.error}" if operation.error else line, operation=operation)
    if operation.ended is None:
        return
    if operation.outcome in _NEW_STATUS:
        events.emit("release", f"release {operation.to_vsn} is now {_NEW_STATUS[operation.outcome]}")
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
    if not host or not (port.isascii() and port.isdigit() and int(port) < 65535):
        raise Refused(f"`listen` in node.toml is {listen!r}, not host:port; 127.0.0.1:0 chooses a free port.")
    return host, int(port)

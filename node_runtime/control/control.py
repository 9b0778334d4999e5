"""The control endpoint of a node, put together: keys, sockets, table, events, audit."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from node_runtime.behaviours.show.value_readers import escape
from node_runtime.code import CodeServer
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol.cookie import make_keys
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import AuditEntry, Health, Operation

from .access_selftest import require_refusal
from .audit_log import Audit
from .dispatch import Dispatch
from .event_log import EventLog
from .event_source import Watch
from .loop_bridge import Turns
from .method_handlers import Handlers, Identity, ReleaseHandler
from .snapshots import Observer
from .sockets import Endpoint
from .uploads import Uploads
from .vitals import Meter

_NOW: Final = {"installed": "runs now", "reverted": "runs now", "committed": "is permanent now"}
HEARTBEAT: Final = 1.0
"""Seconds between two vitals."""


class Control:
    """A node's control endpoint. Made, started and stopped on the event loop of `runtime`.

    `directory` is the node's; `listen` is "host:port", where port 0 takes a free one. `on_stop(restart)` is called on
    the event loop when an operator has ordered the node to stop.
    """

    def __init__(
        self,
        handler: ReleaseHandler,
        runtime: Runtime,
        code: CodeServer,
        *,
        name: str,
        boot_id: str,
        directory: Path,
        on_stop: Callable[[bool], None],
        listen: str = "127.0.0.1:0",
        started: float | None = None,
    ) -> None:
        self._handler = handler
        self._runtime = runtime
        self._code = code
        self._name = name
        self._boot_id = boot_id
        self._directory = directory
        self._on_stop = on_stop
        self._host, self._port = _listen(listen)
        self._started = time.time() if started is None else started
        self._closers: list[Callable[[], object]] = []

    def start(self) -> tuple[int, int]:
        """Open the endpoint and return its ports, of requests and of events.

        Raises Refused when it can't listen there, or when a stranger's key is not turned away.
        """
        keys = make_keys(self._directory)
        self._endpoint = Endpoint(keys)
        self._closers.append(self._endpoint.stop)
        try:
            ports = self._endpoint.bind(self._host, self._port)
            self._endpoint.start(self._prepare(asyncio.get_running_loop(), ports[1]).take)
            for port in ports:
                require_refusal(keys.public, self.host, port)
        except BaseException:
            self.stop()
            raise
        return ports

    @property
    def host(self) -> str:
        """Where a client on this machine reaches the endpoint."""
        return "127.0.0.1" if self._host in ("*", "0.0.0.0") else self._host

    def stop(self) -> None:
        """Close the endpoint, after the answers that are due."""
        while self._closers:
            self._closers.pop()()

    # ------------------------------------------------------------------ inside

    def _prepare(self, loop: asyncio.AbstractEventLoop, events_port: int) -> Dispatch:
        endpoint = self._endpoint
        audit = Audit(self._directory / "var" / "audit.jsonl")
        uploads = Uploads(self._directory / "var" / "staging")
        events = EventLog(self._boot_id, endpoint.publish)
        meter = Meter(self._runtime, loop, self._started)
        handlers = Handlers(
            Identity(self._name, self._boot_id, os.getpid(), self._directory, self._started, events_port),
            self._handler,
            self._runtime,
            Observer(self._runtime, self._code),
            events,
            audit,
            uploads,
            meter,
            lambda text: endpoint.run(lambda: events.emit("release", escape(text))),
            self._on_stop,
        )
        turns = Turns(loop, threading.get_ident(), endpoint.run, endpoint.later)
        dispatch = Dispatch(handlers.entries(), endpoint, turns, audit, self._name)

        def beat() -> None:
            endpoint.later(HEARTBEAT, beat)
            events.emit("vitals", vitals=meter.measure())

        endpoint.run(beat)
        watch = Watch(self._runtime, events, endpoint.run, endpoint.later)
        self._closers = [audit.close, endpoint.stop, uploads.close, dispatch.close, watch.close]
        self._closers.append(self._handler.subscribe(lambda told: endpoint.run(lambda: _tell(events, audit, told))))
        self._closers.append(
            self._handler.rehearsals.subscribe(
                lambda vsn, done, of: endpoint.run(
                    lambda: events.emit(
                        "rehearsal", escape(f"the way to {vsn} is rehearsed: {done} of {of} process{'es' * (of != 1)}")
                    )
                )
            )
        )
        self._closers.append(
            self._handler.subscribe_health(lambda vsn, health: endpoint.run(lambda: _tell_health(events, vsn, health)))
        )
        return dispatch


def _tell_health(events: EventLog, vsn: str, health: Health) -> None:
    events.emit("release", escape(f"release {vsn} is on probation, its health is {health.verdict}: {health.finding}"))


def _tell(events: EventLog, audit: Audit, operation: Operation) -> None:
    """Publish how far an operation is, and put its end into the audit."""
    done = operation.outcome or operation.phase
    line = f"{operation.kind} of {operation.to_vsn} by {operation.who}: {done}"
    events.emit("operation", escape(f"{line}: {operation.error}" if operation.error else line), operation=operation)
    if operation.ended is None:
        return
    if operation.outcome in _NOW:
        events.emit("release", escape(f"release {operation.to_vsn} {_NOW[operation.outcome]}"))
    if operation.kind == "commit":
        return  # its end is the answer to the order, which is in the audit
    audit.write(
        AuditEntry(
            at=operation.ended,
            who=operation.who,
            role="operator",
            peer="",
            method=operation.kind,
            subject=f"{operation.to_vsn}, operation {operation.id}",
            phase="outcome",
            reason=operation.reason,
            plan_id=operation.plan_id,
            outcome=operation.outcome,
        )
    )


def _listen(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not (port.isascii() and port.isdigit() and int(port) < 65535):
        raise Refused(f"`listen` is {listen!r}; write it as host:port, 127.0.0.1:0 for any free port.")
    return host, int(port)

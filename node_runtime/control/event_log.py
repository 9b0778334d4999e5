"""The node's event log, which numbers events, sends them to subscribers, and keeps the newest for later requests."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Final

import msgspec

from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.protocol.messages import NodeEvent, NodeEventKind, Operation, Vitals
from node_runtime.protocol.wire import pack

MAX_KEPT_EVENTS: Final = 500
"""The maximum number of events kept. Beyond it, the oldest event of the most frequent kind is dropped.

Therefore one kind of event can't displace all other kinds.
"""
MAX_OPERATION_BYTES: Final = 256 * 1024
"""The maximum size of an operation in an event. A larger operation is sent without its results."""


class EventLog:
    """Numbers, keeps and publishes events. Only the control thread may use the log; every thread may read `seq`."""

    def __init__(self, boot_id: str, publish: Callable[[bytes], None]) -> None:
        self._boot_id = boot_id
        self._publish = publish
        self._kept: defaultdict[NodeEventKind, deque[NodeEvent]] = defaultdict(deque)
        self.seq = 0
        """The number of the newest event; 0 before the first."""

    def emit(
        self,
        kind: NodeEventKind,
        text: str = "",
        *,
        vitals: Vitals | None = None,
        operation: Operation | None = None,
        at: float | None = None,
        trace: tuple[str, ...] = (),
    ) -> None:
        """Publish an event that happened at the Unix time `at`, by default now."""
        if operation is not None and len(pack(operation)) > MAX_OPERATION_BYTES:
            rehearsal = operation.rehearsal and msgspec.structs.replace(operation.rehearsal, results=())
            operation = msgspec.structs.replace(operation, results=(), rehearsal=rehearsal)
        event = NodeEvent(
            boot_id=self._boot_id,
            seq=self.seq + 1,
            at=time.time() if at is None else at,
            kind=kind,
            text=shown(text),
            vitals=vitals,
            operation=operation,
            trace=trace,
        )
        self.seq += 1
        if kind != "vitals":  # one per second would displace all other events
            self._keep(event)
        self._publish(pack(event))

    def newest(self, limit: int) -> tuple[NodeEvent, ...]:
        """Return at most `limit` events, the newest one last."""
        merged = sorted((event for kept in self._kept.values() for event in kept), key=lambda event: event.seq)
        return tuple(merged[-limit:]) if limit > 0 else ()

    def _keep(self, event: NodeEvent) -> None:
        self._kept[event.kind].append(event)
        if sum(map(len, self._kept.values())) > MAX_KEPT_EVENTS:
            max(self._kept.values(), key=len).popleft()

"""What happened on the node, numbered: the stream that clients follow, and its newest part for those who come later."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from node_runtime.protocol.messages import Event, EventKind, Operation, Vitals
from node_runtime.protocol.wire import pack

KEPT: Final = 500
LARGE: Final = 256 * 1024
"""Bytes of an operation from which on its event comes without the results."""


class EventLog:
    """Numbers, keeps and publishes events. Used by the control thread only; `seq` may be read by all."""

    def __init__(self, boot_id: str, publish: Callable[[bytes], None]) -> None:
        self._boot_id = boot_id
        self._publish = publish
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self.seq = 0
        """The number of the newest event; 0 before the first."""

    def emit(
        self,
        kind: EventKind,
        text: str = "",
        *,
        vitals: Vitals | None = None,
        operation: Operation | None = None,
        at: float | None = None,
    ) -> None:
        """Say that something happened, `at` (now, if not given)."""
        if operation is not None and len(pack(operation)) > LARGE:
            rehearsal = operation.rehearsal and msgspec.structs.replace(operation.rehearsal, results=())
            operation = msgspec.structs.replace(operation, results=(), rehearsal=rehearsal)
        event = Event(
            boot_id=self._boot_id,
            seq=self.seq + 1,
            at=time.time() if at is None else at,
            kind=kind,
            text=text,
            vitals=vitals,
            operation=operation,
        )
        self.seq += 1
        if kind != "vitals":  # one a second would push out everything else
            self._kept.append(event)
        self._publish(pack(event))

    def newest(self, limit: int) -> tuple[Event, ...]:
        """At most `limit` events, newest last."""
        return tuple(self._kept)[-limit:] if limit > 0 else ()

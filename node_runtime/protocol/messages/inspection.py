"""Structs for the details of one process: relations, timeouts and recorded messages, and requests to record them."""

from __future__ import annotations

from typing import Final, Literal

from .node import StateView
from .struct import ProcessKind, RunStatus, WireStruct
from .term import Term

TimeoutScope = Literal["state", "event", "generic", "message"]
"""The event that cancels a timeout of a state machine. "state": a change of the state; "event": any event; "generic":
only the machine itself. "message" is not a timeout, but a message that `send_after` will send to the process.
"""
RecordedKind = Literal["in", "out", "noreply", "state", "postpone"]
"""The process "in": took a message; "out": answered a call; "noreply": ended a callback without an answer; "state":
changed the state of a state machine; "postpone": postponed an event."""
SUCCESSOR_REMEDY: Final = "Find its successor in the process tree."
"""The last sentence of the refusal of a request about a process that has ended."""


class InspectProcess(WireStruct, frozen=True):
    """The request for all details of one process."""

    pid: int


class RelatedProcess(WireStruct, frozen=True):
    """A process that another process refers to. `mailbox` is the number of its waiting messages."""

    pid: int
    name: str | None
    kind: ProcessKind
    module: str
    status: RunStatus
    mailbox: int = 0


class PendingTimeout(WireStruct, frozen=True):
    """A timeout of a state machine, or a message of `send_after`. It fires in `seconds`; None: as the next event."""

    name: str
    scope: TimeoutScope
    seconds: float | None
    content: Term | None = None


class RecordedEvent(WireStruct, frozen=True):
    """An event of a recorded process. `text` is one line, redacted, at most 500 characters."""

    at: float
    kind: RecordedKind
    text: str = ""


class ProcessTrace(WireStruct, frozen=True):
    """The trace of a process: at most `rate` events a second until the time `until`, the newest last.

    `left_out` is the number of events beyond the rate. `events` has at most 200 events.
    """

    until: float
    rate: int
    left_out: int = 0
    events: tuple[RecordedEvent, ...] = ()


class ProcessView(StateView, frozen=True, kw_only=True):
    """All details of one process. A list of pids has at most 50 pids; its field `…_count` has the whole number.

    `ancestors` begin with the parent. `waited_by` are the processes that await the reply or the exit of this process.
    `related` describes the live processes of all lists. `callback_seconds` is the time for which the async callback
    `running` has run. `spent` is the time that all callbacks have taken. `relations_age` is the age of `children`,
    `monitored_by` and `waited_by` in seconds: if there are very many processes, the node updates these lists less
    often. `suspended_by` are the owners that have suspended the process. `timeouts` has at most 20 timeouts of a state
    machine and messages of `send_after`, the next one first. `postponed` is the number of postponed events. `log` has
    at most 50 of the newest messages; it is None while no log is kept.
    """

    boot_id: str
    arguments: str = ""
    callback_seconds: float | None = None
    spent: float = 0.0
    trapping: bool = False
    link_count: int = 0
    monitor_count: int = 0
    ancestors: tuple[int, ...] = ()
    children: tuple[int, ...] = ()
    child_count: int = 0
    monitored_by: tuple[int, ...] = ()
    monitored_by_count: int = 0
    waited_by: tuple[int, ...] = ()
    waited_by_count: int = 0
    relations_age: float = 0.0
    related: tuple[RelatedProcess, ...] = ()
    suspended_by: tuple[str, ...] = ()
    timeouts: tuple[PendingTimeout, ...] = ()
    postponed: int = 0
    log: tuple[RecordedEvent, ...] | None = None
    trace: ProcessTrace | None = None


class LogProcess(WireStruct, frozen=True):
    """The request to keep a log of the newest messages of a process. If `on` is false, the log ends and is deleted."""

    pid: int
    boot_id: str
    on: bool = True
    reason: str | None = None


class TraceProcess(WireStruct, frozen=True):
    """The request to trace a process for `seconds`, at most 300; 0 ends its trace. `rate` is at most 100 a second."""

    pid: int
    boot_id: str
    seconds: float = 10.0
    rate: int = 20
    reason: str | None = None


class SuspendProcess(WireStruct, frozen=True):
    """The request to suspend a process for `seconds`, at most 3600; another request renews the time."""

    pid: int
    boot_id: str
    seconds: float = 60.0
    reason: str | None = None

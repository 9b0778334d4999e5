"""What the link tells the dashboard: one immutable message for each thing that is heard."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from hotdash.model.connection import Connection
from hotdash.model.selection import ProcessKey
from node_runtime.protocol import messages as m


@dataclass
class ConnectionChanged(Message):
    """The node was found, or lost, or is tried again."""

    connection: Connection


@dataclass
class SnapshotTaken(Message):
    """A whole new picture; only the newest counts."""

    snapshot: m.Snapshot

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, SnapshotTaken)


@dataclass
class EventSeen(Message):
    """Something happened on the node."""

    event: m.Event


@dataclass
class PastRead(Message):
    """What happened before the dashboard looked."""

    events: tuple[m.Event, ...]
    operations: tuple[m.Operation, ...]


@dataclass
class StateSeen(Message):
    """The live state of the selected process, or the sentence with which the node refused it."""

    key: ProcessKey
    state: m.StateView | None
    sentence: str = ""

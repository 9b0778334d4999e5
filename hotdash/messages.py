"""Messages from the node link to the dashboard."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from hotdash.model.connection import Connection
from hotdash.model.selection import ProcessKey
from node_runtime.protocol import messages as m


@dataclass
class ConnectionChanged(Message):
    """The connection was made or lost, or is being retried."""

    connection: Connection


@dataclass
class SnapshotReceived(Message):
    """A new snapshot arrived. It replaces an older one that is still queued."""

    snapshot: m.Snapshot

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, SnapshotReceived)


@dataclass
class EventReceived(Message):
    """The node reported an event."""

    event: m.NodeEvent


@dataclass
class HistoryReceived(Message):
    """The node's past events and operations arrived."""

    events: tuple[m.NodeEvent, ...]
    operations: tuple[m.Operation, ...]


@dataclass
class StateReceived(Message):
    """The live state of the selected process arrived, or the sentence with which the node refused to send it."""

    key: ProcessKey
    state: m.StateView | None
    sentence: str = ""

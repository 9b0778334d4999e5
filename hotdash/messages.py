"""Messages from the node link to the dashboard."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from node_runtime.protocol import messages as m

from .model.connection import Connection
from .model.selection import ProcessKey
from .model.windows import ProcessWindow, TreeWindow


@dataclass
class ConnectionChanged(Message):
    """The connection was made or lost, or is being retried."""

    connection: Connection


@dataclass
class SnapshotReceived(Message):
    """A new summary of the node arrived. It replaces an older one that is still queued."""

    snapshot: m.NodeSummary

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
class OldCodeReceived(Message):
    """The list of the modules' old versions arrived, with what keeps each of them."""

    old_code: tuple[m.OldCode, ...]


@dataclass
class StateReceived(Message):
    """The live state of the selected process arrived, or the sentence with which the node refused to send it."""

    key: ProcessKey
    state: m.StateView | None
    sentence: str = ""


@dataclass
class RequestAnswered(Message):
    """The node answered a request of a dialog or an action. `params` and `result` are packed with MessagePack."""

    method: str
    params: bytes
    result: bytes


@dataclass
class Replayed(Message):
    """A replay was moved to another time. `passed` has all recorded messages before this time, each with its time."""

    passed: tuple[tuple[float, Message], ...]


@dataclass
class TreeReceived(Message):
    """The visible part of the tree arrived."""

    window: TreeWindow


@dataclass
class ProcessesReceived(Message):
    """The visible part of the list of processes arrived."""

    window: ProcessWindow


@dataclass
class QueryRefused(Message):
    """The node has refused a query for processes, for example because of a wrong filter."""

    sentence: str


@dataclass
class NamesReceived(Message):
    """The titles of some processes arrived, by pid."""

    names: dict[int, str]

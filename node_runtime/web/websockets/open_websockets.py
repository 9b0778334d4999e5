"""The websockets of a runtime: those that wait for their process, and those that have a process."""

from __future__ import annotations

from itertools import count
from typing import Any, Protocol

from node_runtime.processes import Pid, Stop, runtime


class OpenWebSocket(Protocol):
    """The methods of a connection that its handler's process calls: see `node_runtime.web.websockets.connection`."""

    @property
    def handshake(self) -> Any:
        """The request of the client."""

    def taken(self, pid: Pid) -> None:
        """Assign the connection to the process `pid`."""

    def accept(self) -> None:
        """Answer the handshake: the websocket is open."""

    def send(self, message: str | bytes) -> None:
        """Send a message."""

    def close(self, code: int, reason: str) -> None:
        """Begin the close handshake."""


class OpenWebSockets:
    """The connections of a runtime: by number until a process has taken the connection, then by that process's pid."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._waiting: dict[int, OpenWebSocket] = {}
        self._owned: dict[Pid, OpenWebSocket] = {}

    def add(self, connection: OpenWebSocket) -> int:
        """Keep a connection for its process, and return its number."""
        number = next(self._numbers)
        self._waiting[number] = connection
        return number

    def forget(self, number: int) -> None:
        """Forget a connection that no process has taken."""
        self._waiting.pop(number, None)

    def taken(self, number: int, pid: Pid) -> OpenWebSocket:
        """Give the connection to a process. Raises Stop if the client has gone already."""
        connection = self._waiting.pop(number, None)
        if connection is None:
            raise Stop(("shutdown", "the client has disconnected"))
        node = runtime()
        self._owned[pid] = connection
        node.labels[pid] = str(connection.handshake.scope.get("path", ""))
        node.watch(node.find(pid), lambda _reason: self._forget_owner(pid))
        connection.taken(pid)
        return connection

    def _forget_owner(self, pid: Pid) -> None:
        del self._owned[pid]
        runtime().labels.pop(pid, None)

    def of(self, pid: Pid) -> OpenWebSocket:
        """Return the connection of a process. Raises RuntimeError if it has none."""
        try:
            return self._owned[pid]
        except KeyError:
            raise RuntimeError(f"process {pid} has no websocket; send from a process of a WebSocketHandler") from None


def open_websockets() -> OpenWebSockets:
    """Return the connections of the running runtime."""
    return runtime().singleton(OpenWebSockets)

"""The listeners of a runtime: their sockets, applications and servers, which belong to a name and not to a process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from contextvars import Context
from typing import Any, Final
from weakref import WeakSet

import uvicorn

from node_runtime.behaviours.application_controller import applications
from node_runtime.processes import Pid, runtime
from node_runtime.protocol.exit_codes import Refused

from .clients.request_gate import RequestGate
from .listening_socket import close_socket
from .named_application import NamedApplication
from .routing.routes import RoutingTable
from .server_options import ServerOptions
from .websockets import WebSocketRoute, WebSocketRoutes

SUPERVISOR: Final = "web_sup"


class Listener:
    """The socket, the application, the websocket routes and the present server of one listener."""

    __slots__ = (
        "application",
        "closes_with_process",
        "context",
        "draining",
        "gate",
        "name",
        "options",
        "processes",
        "retiring",
        "server",
        "socket",
        "starting",
        "websockets",
    )

    def __init__(
        self,
        name: str,
        bound: socket.socket,
        application: RoutingTable | NamedApplication,
        options: ServerOptions,
        websockets: Iterable[WebSocketRoute] = (),
    ) -> None:
        self.name = name
        self.socket = bound
        self.application = application
        self.options = options
        self.websockets = WebSocketRoutes(websockets)
        self.gate = RequestGate()
        self.closes_with_process = False
        """Whether the socket is closed when a supervisor stops the process. Otherwise `stop_http` closes it."""
        self.processes: set[Pid] = set()
        """The processes that serve the listener: two while an upgrade replaces one by another."""
        self.context: Context | None = None
        """The context of the listener's process."""
        self.retiring: dict[asyncio.Task[None], frozenset[str]] = {}
        """The tasks that end the lifespans of earlier versions when the last requests of these versions have ended.

        Each task has the names of its lifespan's own tasks.
        """
        self.draining: WeakSet[asyncio.Task[Any]] = WeakSet()
        """The tasks of the websockets that the listener closes soon, because of its option `drain_websockets`."""
        self.server: uvicorn.Server | None = None
        self.starting: asyncio.Future[None] | None = None
        """Done when the listener's new process accepts connections; None if no process is being started."""

    @property
    def address(self) -> str:
        """The URL of the listener; for a unix socket, `unix:` and the path."""
        bound = self.socket.getsockname()
        if not isinstance(bound, tuple):
            return f"unix:{bound}"
        scheme = "https" if self.options.get("ssl_certfile") else "http"
        host = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        return f"{scheme}://{host}:{bound[1]}"

    async def close(self) -> None:
        """Close the socket."""
        close_socket(self.socket)


class Listeners(dict[str, Listener]):
    """The listeners of a runtime, by name. The node reports their addresses to its parent."""

    def __init__(self) -> None:
        super().__init__()
        applications().addresses["web"] = self.addresses

    def addresses(self) -> list[str]:
        """Return the address of each listener."""
        return [listener.address for listener in self.values() if listener.socket.fileno() >= 0]

    def named(self, name: str) -> Listener:
        """Return the listener of that name. Raises `Refused` if there is none."""
        if name not in self:
            raise Refused(f"there is no listener {name!r}; start it with web.start_http or web.start_asgi")
        return self[name]

    def discard(self, listener: Listener) -> None:
        """Forget a listener, and close its socket."""
        if self.get(listener.name) is listener:
            del self[listener.name]
        close_socket(listener.socket)

    def close_all(self) -> None:
        """Forget all listeners, after their processes have ended, and close their sockets."""
        for listener in self.values():
            close_socket(listener.socket)
        self.clear()


def listeners() -> Listeners:
    """Return the listeners of the running runtime."""
    return runtime().singleton(Listeners)

"""The callback class of a websocket: each connection has a server, and the client's messages are casts to the server.

Therefore a connection survives an upgrade. While the upgrade holds the server, messages wait in the mailbox, and
`code_change` converts the server's state.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable
from typing import Any, ClassVar, Generic, TypeVar

from starlette.requests import HTTPConnection

from node_runtime.gen_server import GenServer
from node_runtime.processes import Stop, self_pid

from .open_websockets import open_websockets

S = TypeVar("S")


class Handshake(HTTPConnection):
    """The request that opens a websocket: Starlette's `path_params`, `query_params`, `headers`, `cookies`, `client`.

    Follows cowboy_req:req().
    """

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that was agreed on; None if the handler's class names none."""
        chosen: str | None = self.scope["subprotocol"]
        return chosen


class Rejected(Stop):
    """Raised by `connected` to answer the handshake with an HTTP error instead of opening the websocket.

    Raises ValueError for a `status` that isn't from 400 to 599. Follows cowboy_req:reply/4 in Module:init/2 of cowboy.
    """

    def __init__(self, status: int, text: str = "") -> None:
        if not 400 <= status <= 599:
            raise ValueError(f"a handshake can't be rejected with the status {status}; use one from 400 to 599")
        super().__init__(("shutdown", ("rejected", status, text)))


class WebSocketHandler(GenServer[S], Generic[S]):
    """The server of one websocket. Its state is `self.state`; the connection itself belongs to the listener.

    Like the methods of any server, the methods of this class can be called and cast by other processes, for example
    `cast(pid, Member.send_text, "hello")`. Don't define `init`. Follows the behaviour cowboy_websocket.
    """

    subprotocols: ClassVar[tuple[str, ...]] = ()
    """The subprotocols, the preferred one first. If there are any, a client that offers none of them is refused."""
    origins: ClassVar[tuple[str, ...] | None] = None
    """The origins of pages that may connect, such as "https://example.org"; "*" allows all.

    None allows the pages of the host that the client connects to. A client without an origin is not a browser, and may
    always connect.
    """
    max_message_bytes: ClassVar[int] = 1 << 20
    """A client that sends a longer message is disconnected with the code 1009."""
    max_unsent_bytes: ClassVar[int] = 1 << 20
    """A client that leaves more bytes than this unread is disconnected with the code 1008 at the next message."""
    ping_seconds: ClassVar[float] = 20.0
    """The time between two pings. A client that sends nothing between two pings is disconnected."""

    # ------------------------------------------------------------------ callbacks

    def connected(self, request: Handshake) -> Any:
        """Return the first state. May be async, may send messages, and may raise Rejected.

        The handshake is answered when this returns. Follows Module:websocket_init/1 of cowboy.
        """
        raise NotImplementedError(f"{type(self).__qualname__} has no connected()")

    def handle_text(self, text: str) -> Any:
        """Handle a text message. May be async. By default, the client is disconnected with the code 1003."""
        self.close(1003, "text messages are not accepted")

    def handle_bytes(self, data: bytes) -> Any:
        """Handle a binary message. May be async. By default, the client is disconnected with the code 1003."""
        self.close(1003, "binary messages are not accepted")

    def disconnected(self, code: int, reason: str) -> Any:
        """Called after the last message, when the connection has ended; then the process ends. May be async.

        `code` is the code of the client's close frame or, without one, of the server's close frame. It is 1006 if the
        connection was lost without a close frame. If the process ends earlier, by a crash or an exit signal, this
        callback is not called; to learn of every end, monitor the process. Follows Module:terminate/3 of cowboy.
        """

    # ------------------------------------------------------------------ requests, also for the callbacks themselves

    def send_text(self, text: str) -> None:
        """Send a text message. If the connection is closing, the message is dropped."""
        open_websockets().of(self_pid()).send(text)

    def send_bytes(self, data: bytes) -> None:
        """Send a binary message. If the connection is closing, the message is dropped."""
        open_websockets().of(self_pid()).send(data)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close the connection; `disconnected` follows. Does nothing if the connection is closing.

        Raises ValueError for a code that isn't 1000, 1001, 1003, 1007 to 1014 or 3000 to 4999, or for a reason of more
        than 123 bytes.
        """
        open_websockets().of(self_pid()).close(code, reason)

    # ------------------------------------------------------------------ for the listener

    def init(self, number: int) -> Any:
        """Take over the connection with this number, call `connected`, and answer the handshake."""
        connection = open_websockets().taken(number, self_pid())
        state = self.connected(connection.handshake)
        if inspect.isawaitable(state):
            return _accept_later(number, state)
        connection.accept()
        return state

    def connection_ended(self, code: int, reason: str) -> Any:
        """Handle the listener's last cast to this process: the connection has ended. Ends the process, too."""
        result = self.disconnected(code, reason)
        if inspect.isawaitable(result):
            return _stop_later(result)
        raise Stop("normal")


async def _accept_later(number: int, connecting: Awaitable[Any]) -> Any:
    state = await connecting
    open_websockets().of(self_pid()).accept()
    return state


async def _stop_later(disconnecting: Awaitable[Any]) -> None:
    await disconnecting
    raise Stop("normal")

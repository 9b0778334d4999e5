"""Listeners: supervised processes, each of which runs uvicorn on a socket that outlives the process.

The runtime keeps the socket and the routes under the listener's name. So a process that crashes and is restarted gets
them again, and a client that connects during the restart waits in the socket's queue and is not refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final

import uvicorn

from node_runtime.processes import Pid, runtime
from node_runtime.processes.transaction import current_transaction
from node_runtime.protocol.exit_codes import Refused
from node_runtime.supervisor import ChildSpec, delete_child, start_child, terminate_child

from .routes import Route, RoutingTable

SUPERVISOR: Final = "web_sup"
BACKLOG_LIMIT: Final = 2048
"""Connections that may wait to be accepted."""
KEEP_ALIVE_SECONDS: Final = 60
"""An idle connection is closed after this time; the value is cowboy's default."""
SHUTDOWN_SECONDS: Final = 3
"""Running requests have this time to finish when their listener is stopped."""


class Listener:
    """The socket and the routing table of one listener."""

    __slots__ = ("socket", "table")

    def __init__(self, bound: socket.socket, routes: Iterable[Route]) -> None:
        self.socket = bound
        self.table = RoutingTable(routes)

    async def close(self) -> None:
        """Close the socket."""
        self.socket.close()


class Listeners(dict[str, Listener]):
    """The listeners of a runtime, by name."""

    def named(self, name: str) -> Listener:
        """Return the listener of that name. Raises `Refused` if there is none."""
        if name not in self:
            raise Refused(f"there is no listener {name!r}; start it with web.start_http")
        return self[name]


def listeners() -> Listeners:
    """Return the listeners of the running runtime."""
    return runtime().singleton(Listeners)


# ------------------------------------------------------------------ what applications call


async def start_http(name: str, *, port: int, host: str = "127.0.0.1", routes: Iterable[Route]) -> Pid:
    """Serve `routes` on a `port`, in a process below `web_sup`, and return its pid; port 0 chooses a free port.

    Raises `Refused` when the port can't be bound or a listener of that name is running, `NoProcess` when the
    application `web` isn't started, and `ValueError` for a malformed route or handler name. Follows
    cowboy:start_clear/3.
    """
    known = listeners()
    if name in known:
        raise Refused(
            f"listener {name!r} is running already; "
            "stop it with web.stop_http, or change its routes with web.set_routes"
        )
    known[name] = listener = Listener(_bind(host, port), routes)
    if (transaction := current_transaction()) is not None:
        transaction.undo_actions.append(partial(_discard, name, listener))
    spec = ChildSpec(
        name, start="node_runtime.web.listener:serve", args=(name,), shutdown=SHUTDOWN_SECONDS + 2.0, type="task"
    )
    try:
        pid = await start_child(SUPERVISOR, spec)
    except BaseException:
        _discard(name, listener)
        raise
    assert pid is not None
    return pid


async def stop_http(name: str) -> None:
    """Stop a listener. Running requests have `SHUTDOWN_SECONDS` to finish.

    Raises `Refused` when there is no such listener, `NoProcess` when the application `web` isn't started, and `Exit`
    when its supervisor ends before the listener has stopped. Follows cowboy:stop_listener/1.
    """
    listener = listeners().named(name)
    await terminate_child(SUPERVISOR, name)
    await delete_child(SUPERVISOR, name)
    del listeners()[name]
    if (transaction := current_transaction()) is None:
        listener.socket.close()
    else:
        transaction.undo_actions.append(partial(listeners().__setitem__, name, listener))
        transaction.deferred_actions.append(listener.close)


def set_routes(name: str, routes: Iterable[Route]) -> None:
    """Replace all routes of a listener, from the next request on. Raises `Refused` when there is no such listener.

    Follows cowboy:set_env/3.
    """
    table = listeners().named(name).table
    if (transaction := current_transaction()) is not None:
        transaction.undo_actions.append(partial(table.replace, table.routes))
    table.replace(routes)


async def settled(name: str) -> None:
    """Wait until all requests that arrived before the last `set_routes` are answered.

    For an upgrade: remove a route, await this, then remove the code of its handler. Raises `Refused` when there is no
    such listener. OTP has no such function.
    """
    await listeners().named(name).table.settled()


def routes(name: str) -> tuple[Route, ...]:
    """Return a listener's routes. Raises `Refused` when there is no such listener. Follows cowboy:get_env/2."""
    return listeners().named(name).table.routes


def port(name: str) -> int:
    """Return the port of a listener's socket. Raises `Refused` when there is no such listener.

    Follows ranch:get_port/1.
    """
    number: int = listeners().named(name).socket.getsockname()[1]
    return number


# ------------------------------------------------------------------ the process and its socket


async def serve(name: str) -> None:
    """Run the listener's process.

    When it is cancelled, it waits at most `SHUTDOWN_SECONDS` for running requests, and then closes the connections.
    """
    listener = listeners().named(name)
    # uvicorn gets a duplicate of the descriptor, because it closes the one that it gets.
    sockets = [listener.socket.dup()]
    server = _Server(
        uvicorn.Config(
            listener.table,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG_LIMIT,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
    )
    try:
        await server.serve(sockets)
    except asyncio.CancelledError:
        if server.started:
            await server.shutdown(sockets)
        raise
    finally:
        sockets[0].close()


class _Server(uvicorn.Server):
    """A uvicorn server without signal handlers: the node handles the signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _discard(name: str, listener: Listener) -> None:
    listeners().pop(name, None)
    listener.socket.close()


def close_all() -> None:
    """Close every socket, after the processes have ended."""
    known = listeners()
    for listener in known.values():
        listener.socket.close()
    known.clear()


def _bind(host: str, port: int) -> socket.socket:
    # asyncio sets TCP_NODELAY only on sockets whose `proto` is TCP; socket.create_server would leave `proto` 0.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(BACKLOG_LIMIT)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            sentence = f"port {port} is in use on {host}; free it, or set http_port in etc/sys.toml to another port"
        else:
            remedy = "set http_port in etc/sys.toml to another port"
            sentence = f"port {port} can't be bound on {host}: {error.strerror}; {remedy}"
        raise Refused(sentence) from None
    return bound

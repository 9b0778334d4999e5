"""Listeners: each is a supervised process that runs uvicorn on a socket that outlives it.

The socket and the routes belong to the listener's name, not to its process. So a process that falls and is restarted
finds both again, and whoever connects in between waits in the socket's queue instead of being refused.
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
from node_runtime.processes.transaction import current_barrier
from node_runtime.protocol.exit_codes import Refused
from node_runtime.supervisor import ChildSpec, delete_child, start_child, terminate_child

from .routes import Dispatch, Route

SUPERVISOR: Final = "web_sup"
BACKLOG: Final = 2048
IDLE_SECONDS: Final = 60
"""How long a connection may be idle before it is closed; cowboy's default."""
GRACE_SECONDS: Final = 3
"""How long requests that are under way may take when their listener is stopped."""


class Listener:
    """What stands under a listener's name: the socket, and the dispatch table."""

    __slots__ = ("dispatch", "socket")

    def __init__(self, bound: socket.socket, routes: Iterable[Route]) -> None:
        self.socket = bound
        self.dispatch = Dispatch(routes)

    async def shut(self) -> None:
        """Let go of the socket."""
        self.socket.close()


class Listeners(dict[str, Listener]):
    """The listeners of a runtime, by name."""

    def named(self, name: str) -> Listener:
        """The listener of that name. Raises `Refused`."""
        if name not in self:
            raise Refused(f"there is no listener {name!r}; start it with web.start_http")
        return self[name]


def listeners() -> Listeners:
    """The listeners of the running runtime."""
    return runtime().part(Listeners)


# ------------------------------------------------------------------ what applications call


async def start_http(name: str, *, port: int, host: str = "127.0.0.1", routes: Iterable[Route]) -> Pid:
    """Serve `routes` on a `port`, in a process below `web_sup`, and return its pid; port 0 takes a free one.

    Raises `Refused` when the port can't be had or a listener of that name runs already, `NoProcess` when the
    application `web` isn't started, and `ValueError` for a route or a name of another form. Follows
    cowboy:start_clear/3.
    """
    known = listeners()
    if name in known:
        raise Refused(f"a listener {name!r} runs already; stop it with web.stop_http, or change it with web.set_routes")
    known[name] = listener = Listener(_bind(host, port), routes)
    if (inside := current_barrier()) is not None:
        inside.inverses.append(partial(_forget, name, listener))
    spec = ChildSpec(
        name, start="node_runtime.web.listener:serve", args=(name,), shutdown=GRACE_SECONDS + 2.0, type="task"
    )
    try:
        pid = await start_child(SUPERVISOR, spec)
    except BaseException:
        _forget(name, listener)
        raise
    assert pid is not None
    return pid


async def stop_http(name: str) -> None:
    """Stop a listener; requests that are under way may end.

    Raises `Refused`, `NoProcess` when the application `web` isn't started, and `Exit` when it ends meanwhile. Follows
    cowboy:stop_listener/1.
    """
    listener = listeners().named(name)
    await terminate_child(SUPERVISOR, name)
    await delete_child(SUPERVISOR, name)
    del listeners()[name]
    if (inside := current_barrier()) is None:
        listener.socket.close()
    else:
        inside.inverses.append(partial(listeners().__setitem__, name, listener))
        inside.endings.append(listener.shut)


def set_routes(name: str, routes: Iterable[Route]) -> None:
    """Replace a listener's routes, all at once and for the next request. Raises `Refused`. Follows cowboy:set_env/3."""
    dispatch = listeners().named(name).dispatch
    if (inside := current_barrier()) is not None:
        inside.inverses.append(partial(dispatch.replace, dispatch.routes))
    dispatch.replace(routes)


async def settled(name: str) -> None:
    """Return when every request that took an earlier table than the present one is answered. Raises `Refused`.

    For an upgrade: take a route away, wait for this, and what answered it may go. OTP has no such function.
    """
    await listeners().named(name).dispatch.settled()


def routes(name: str) -> tuple[Route, ...]:
    """A listener's routes. Raises `Refused`. Follows cowboy:get_env/2."""
    return listeners().named(name).dispatch.routes


def port(name: str) -> int:
    """The port that a listener has. Raises `Refused`. Follows ranch:get_port/1."""
    number: int = listeners().named(name).socket.getsockname()[1]
    return number


# ------------------------------------------------------------------ the process and its socket


async def serve(name: str) -> None:
    """The listener's process. Cancelled, it lets requests end for `GRACE_SECONDS`, then closes its connections."""
    listener = listeners().named(name)
    # Not a second reference but a second descriptor: uvicorn closes the one that it is given.
    sockets = [listener.socket.dup()]
    server = _Server(
        uvicorn.Config(
            listener.dispatch,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
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
    """uvicorn without its signal handlers: signals are the node's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _forget(name: str, listener: Listener) -> None:
    listeners().pop(name, None)
    listener.socket.close()


def close_all() -> None:
    """Let go of every socket; the processes have ended."""
    known = listeners()
    for listener in known.values():
        listener.socket.close()
    known.clear()


def _bind(host: str, port: int) -> socket.socket:
    # asyncio sends small answers at once only on sockets that say they are TCP, which socket.create_server's don't.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            sentence = f"port {port} is in use on {host}; free it, or set http_port in etc/sys.toml to another one"
        else:
            sentence = f"port {port} can't be had on {host}: {error.strerror}; set http_port in etc/sys.toml"
        raise Refused(sentence) from None
    return bound

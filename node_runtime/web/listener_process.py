"""The process of a listener: it runs the server on a duplicate of the listener's socket.

If the process crashes, its supervisor starts it again on the same socket. A client that connects meanwhile waits in the
socket's queue and is not refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import copy_context
from functools import partial

from node_runtime.processes import Pid, runtime
from node_runtime.processes.primitives import self_pid, spawn_task
from node_runtime.processes.process import DEAD
from node_runtime.processes.transaction import current_transaction
from node_runtime.protocol.exit_codes import Refused

from .lifespan.lifespan import Lifespan
from .listeners import Listener, listeners
from .listening_socket import listening_socket
from .named_application import NamedApplication
from .server import Server, ServerConfig
from .server_options import LIFESPAN_SECONDS, ServerOptions
from .upgrades import take_part_in_installs
from .websockets import WebSocketRoute, check_websockets


async def start_link(name: str) -> Pid:
    """Start the process of a listener that has a socket already; return when it accepts connections.

    Inside the script of an upgrade, this returns at once, and the process begins when the script has succeeded.
    """
    return await _start(listeners().named(name))


async def start_asgi_link(
    name: str,
    application: str,
    host: str,
    port: int,
    options: ServerOptions,
    websockets: tuple[WebSocketRoute, ...] = (),
) -> Pid:
    """Start a listener as a child of the calling supervisor; see `asgi_child`.

    The socket is closed when the supervisor stops the child. Raises `Refused` as `start_asgi` does.
    """
    known = listeners()
    listener = known.get(name)
    if listener is None:
        named = NamedApplication(application)
        if current_transaction() is None:
            named.check()
            check_websockets(name, websockets)
        listener = known[name] = Listener(name, listening_socket(host, port, options), named, options, websockets)
        listener.closes_with_process = True
    elif not listener.closes_with_process:
        raise Refused(f"listener {name!r} is running already; give the child another id")
    try:
        return await _start(listener)
    except BaseException:
        if not listener.processes:
            known.discard(listener)
        raise


async def _start(listener: Listener) -> Pid:
    node = runtime()
    node.singleton(take_part_in_installs)
    pid = spawn_task(serve, listener.name)
    listener.processes.add(pid)
    process = node.find(pid)
    node.watch(process, partial(_ended, listener, pid))
    if current_transaction() is not None:
        return pid
    listener.starting = node.loop.create_future()
    try:
        await listener.starting
    finally:
        listener.starting = None
    return pid


def _ended(listener: Listener, pid: Pid, reason: object) -> None:
    """Record the end of a listener's process. If it has not accepted connections yet, the listener's start fails."""
    listener.processes.discard(pid)
    starting = listener.starting
    if starting is not None and not starting.done():
        sentence = f"listener {listener.name!r} ended before it accepted connections: {reason}; the log has the cause"
        error = reason if isinstance(reason, Exception) else Refused(sentence)
        starting.set_exception(error)


async def serve(name: str) -> None:
    """Run the listener's process: the application's startup, the server, and the application's shutdown.

    When the process is cancelled, running requests have `timeout_graceful_shutdown` seconds to finish; then the
    connections are closed.
    """
    listener = listeners().named(name)
    listener.context = copy_context()
    # uvicorn gets a duplicate of the descriptor, because it closes the descriptor that it gets.
    sockets = [listener.socket.dup()]
    config = ServerConfig(listener.application, listener.options, name, listener.websockets, listener.gate)
    server = Server(config, partial(_started, listener))
    try:
        async with _lifespan(listener):
            listener.server = server
            try:
                await server.serve(sockets)
            except BaseException:  # even after a crash: without this process, nothing would handle the connections
                if server.started:
                    await server.shutdown(sockets)
                raise
    except asyncio.CancelledError:
        _stopped(listener)
        raise
    finally:
        sockets[0].close()
        if listener.server is server:
            listener.server = None


@asynccontextmanager
async def _lifespan(listener: Listener) -> AsyncIterator[None]:
    """Run the startup of the listener's application; after the block, run the shutdowns of all versions of it."""
    application = listener.application
    if not isinstance(application, NamedApplication):
        yield
        return
    own = self_pid()
    lifespan = Lifespan(application.reference, application.current(), own, state={})
    await lifespan.startup()
    application.adopt(lifespan)
    del lifespan  # an upgrade may replace the lifespan, which refers to the code of its version
    try:
        yield
    finally:
        present = application.leave(own)
        if listener.retiring:
            await asyncio.wait(listener.retiring, timeout=LIFESPAN_SECONDS)
        if present is not None:
            await present.shutdown(LIFESPAN_SECONDS)


def _started(listener: Listener) -> None:
    if listener.starting is not None and not listener.starting.done():
        listener.starting.set_result(None)


def _stopped(listener: Listener) -> None:
    """Close the socket of a child that its supervisor has stopped, unless another process serves it already."""
    process = runtime().calling_process()
    killed = process is None or process.run_state is DEAD
    if listener.closes_with_process and not killed and len(listener.processes) == 1:
        listeners().discard(listener)

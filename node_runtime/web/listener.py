"""The functions by which applications start and stop listeners, and change the routes of listeners.

The runtime keeps the socket and the application of a listener under its name; see `listeners`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Unpack

from node_runtime.processes import Pid, runtime
from node_runtime.processes.transaction import current_transaction
from node_runtime.protocol.exit_codes import Refused
from node_runtime.supervisor import ChildSpec, delete_child, start_child, terminate_child

from .listeners import SUPERVISOR, Listener, listeners
from .listening_socket import close_socket, listening_socket
from .named_application import NamedApplication
from .open_requests import open_requests
from .routing.routes import Route, RoutingTable, check_handlers
from .server_options import LIFESPAN_SECONDS, SHUTDOWN_SECONDS, ServerOptions, check_options
from .websockets import WebSocketRoute, check_websockets, stop_handlers

SHUTDOWN_MARGIN_SECONDS = 2.0 + LIFESPAN_SECONDS
"""A listener waits for its requests; its supervisor waits for the listener this much longer."""
MAX_NAMED_REQUESTS = 5
"""A message about requests that still run names this number of them."""


async def start_asgi(
    name: str,
    application: str,
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    websockets: Iterable[WebSocketRoute] = (),
    **options: Unpack[ServerOptions],
) -> Pid:
    """Start a process below `web_sup` that serves an ASGI application on `port`; return its pid.

    `application` is `"module:name"`, which is looked up for each request and each websocket: after an upgrade, the new
    version serves the next request. Port 0 chooses a free port. The websockets of the paths in `websockets` are
    processes; the application serves all others. `options` are those of `ServerOptions`. Returns when the listener
    accepts connections. Raises `Refused` when the application `web` isn't started, `application` doesn't exist, the
    port can't be bound, or a listener of that name is running. Raises `ValueError` for a malformed name or an invalid
    time, and `TypeError` for an unknown option. Inside the script of an upgrade, `application` need not exist yet.
    Follows cowboy:start_clear/3.
    """
    named = NamedApplication(application)
    if current_transaction() is None:
        named.check()
    return await _start(name, named, host, port, options, websockets)


async def start_health(*, port: int, host: str = "127.0.0.1", name: str = "health") -> Pid:
    """Start a listener for monitoring, with the paths `/-/live`, `/-/ready` and `/metrics`, on a separate `port`.

    Raises `Refused` as `start_asgi` does, and `ValueError` for an empty name. OTP has no such function.
    """
    return await start_asgi(name, "node_runtime.web.health:app", port=port, host=host)


def asgi_child(
    name: str,
    application: str,
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    websockets: Iterable[WebSocketRoute] = (),
    **options: Unpack[ServerOptions],
) -> ChildSpec:
    """Return the child specification of a listener that serves an ASGI application, for a supervisor of the release.

    The arguments, such as `port`, are those of `start_asgi`, and the child's id is `name`. The application `web` need
    not be started. The listener closes its socket when the supervisor stops it, but not when it crashes. Raises
    `ValueError` for a malformed name or an invalid time, and `TypeError` for an unknown option. Follows
    ranch:child_spec/5.
    """
    NamedApplication(application)
    check_options(options)
    args = (name, application, host, port, options, tuple(websockets))
    return _child_spec(name, "start_asgi_link", args, options)


async def start_http(
    name: str,
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    routes: Iterable[Route],
    websockets: Iterable[WebSocketRoute] = (),
    **options: Unpack[ServerOptions],
) -> Pid:
    """Start a process below `web_sup` that serves `routes` on `port`; return its pid. Port 0 chooses a free port.

    The websockets of the paths in `websockets` are processes.

    Raises `Refused` when the application `web` isn't started, a handler doesn't exist, the port can't be bound, or a
    listener of that name is running. Raises `ValueError` for a malformed route or handler name or an invalid time, and
    `TypeError` for an unknown option. Inside the script of an upgrade, handlers need not exist yet. Follows
    cowboy:start_clear/3.
    """
    routes = tuple(routes)
    if current_transaction() is None:
        check_handlers(routes)
    return await _start(name, RoutingTable(routes), host, port, {"ws": "none", **options}, websockets)


async def _start(
    name: str,
    application: RoutingTable | NamedApplication,
    host: str,
    port: int,
    options: ServerOptions,
    websockets: Iterable[WebSocketRoute],
) -> Pid:
    check_options(options)
    websockets = tuple(websockets)
    if current_transaction() is None:
        check_websockets(name, websockets)
    if SUPERVISOR not in runtime().names:
        raise Refused(
            f"the application web is not running, so the listener {name!r} can't start; "
            'add applications = ["web"] to the app.toml of the application that starts it'
        )
    known = listeners()
    if name in known:
        remedy = "stop it with web.stop_http, or change its routes with web.set_routes"
        raise Refused(f"listener {name!r} is running already; {remedy}")
    known[name] = listener = Listener(name, listening_socket(host, port, options), application, options, websockets)
    if (transaction := current_transaction()) is not None:
        transaction.undo_actions.append(partial(known.discard, listener))
    try:
        pid = await start_child(SUPERVISOR, _child_spec(name, "start_link", (name,), options))
    except BaseException:
        known.discard(listener)
        raise
    assert pid is not None
    return pid


def _child_spec(name: str, start: str, args: tuple[Any, ...], options: ServerOptions) -> ChildSpec:
    seconds = options.get("timeout_graceful_shutdown", SHUTDOWN_SECONDS) + SHUTDOWN_MARGIN_SECONDS
    return ChildSpec(name, start=f"node_runtime.web.listener_process:{start}", args=args, shutdown=seconds)


async def stop_http(name: str) -> None:
    """Stop a listener, whatever it serves. Running requests have `timeout_graceful_shutdown` seconds to finish.

    Raises `Refused` when the application `web` isn't started, there is no such listener, or it is a child of another
    supervisor than `web_sup`; and `Exit` or `NoProcess` when its supervisor ends before the listener has stopped.
    Follows cowboy:stop_listener/1.
    """
    if SUPERVISOR not in runtime().names:
        raise Refused(f"the application web is not running, so there is no listener {name!r} to stop")
    listener = listeners().named(name)
    if listener.closes_with_process:
        raise Refused(f"listener {name!r} is a child of another supervisor; stop it with supervisor.terminate_child")
    await terminate_child(SUPERVISOR, name)
    await delete_child(SUPERVISOR, name)
    await stop_handlers(SUPERVISOR, name)
    del listeners()[name]
    if (transaction := current_transaction()) is None:
        close_socket(listener.socket)
    else:
        transaction.undo_actions.append(partial(listeners().__setitem__, name, listener))
        transaction.defer(f"the end of listener {name!r}", listener.close)


def set_routes(name: str, routes: Iterable[Route | Sequence[str]]) -> None:
    """Replace all routes of a listener, from the next request on.

    A route may also be a pair of its path and its handler, so that an appup can apply this function.

    Raises `ValueError` for a malformed route, and `Refused` when there is no such listener, it has no routes, or a
    handler doesn't exist; inside the script of an upgrade, handlers need not exist yet. Follows cowboy:set_env/3.
    """
    table = _routing_table(name)
    given = tuple(route if isinstance(route, Route) else Route(*route) for route in routes)
    if (transaction := current_transaction()) is not None:
        transaction.undo_actions.append(partial(table.replace, table.routes))
    else:
        check_handlers(given)
    table.replace(given)


def set_websockets(name: str, routes: Iterable[WebSocketRoute | Sequence[str]]) -> None:
    """Replace a listener's websocket routes: from now on, new websockets are accepted on the paths of `routes`.

    Each websocket of a route is a process.

    A route may also be a pair of its path and its handler, so that an appup can apply this function.

    Open websockets stay. Raises `ValueError` for a malformed route, and `Refused` when there is no such listener, or a
    handler can't be used; inside the script of an upgrade, handlers need not exist yet. Follows cowboy:set_env/3.
    """
    known = listeners().named(name).websockets
    given = tuple(route if isinstance(route, WebSocketRoute) else WebSocketRoute(*route) for route in routes)
    if (transaction := current_transaction()) is not None:
        transaction.undo_actions.append(partial(known.replace, known.routes))
    else:
        check_websockets(name, given)
    known.replace(given)


async def settled(name: str) -> None:
    """Wait until all requests that arrived before the last `set_routes` are answered.

    To remove a handler in an upgrade: remove its route, call this function, then remove its code. If the time limit of
    the upgrade ends the wait, its message names the requests that still run. Raises `Refused` when there is no such
    listener, or it has no routes. OTP has no such function.
    """
    table = _routing_table(name)
    before = {request.task for request in open_requests(name)}
    try:
        await table.settled()
    except asyncio.CancelledError as error:
        running = [one for one in open_requests(name) if one.task in before and one.kind != "websocket"]
        named = [f"{one.method} {one.path}" for one in running[:MAX_NAMED_REQUESTS]]
        if len(running) > len(named):
            named.append(f"{len(running) - len(named)} more")
        if running:
            error.add_note(
                f"the listener {name} still answers {', '.join(named)}; retry when these requests have ended, or give "
                "an `update` of this appup a `timeout` with more seconds"
            )
        raise


def routes(name: str) -> tuple[Route, ...]:
    """Return a listener's routes. Raises `Refused` when there is no such listener, or it has no routes.

    Follows cowboy:get_env/2.
    """
    return _routing_table(name).routes


def _routing_table(name: str) -> RoutingTable:
    application = listeners().named(name).application
    if isinstance(application, NamedApplication):
        raise Refused(f"listener {name!r} serves {application.reference}, so it has no routes; change that application")
    return application


def port(name: str) -> int:
    """Return the port of a listener's socket. Raises `Refused` when there is no such listener, or it has no port.

    Follows ranch:get_port/1.
    """
    address = listeners().named(name).socket.getsockname()
    if not isinstance(address, tuple):
        raise Refused(f"listener {name!r} has no port; connect to its unix socket {address} instead")
    number: int = address[1]
    return number

"""The options of a listener's server: those of uvicorn that make sense below a supervisor, with other defaults."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from typing import Final, Literal, TypedDict

import uvicorn

BACKLOG_LIMIT: Final = 2048
"""The number of connections that may wait to be accepted."""
KEEP_ALIVE_SECONDS: Final = 60
"""An idle connection is closed after this time; the value is cowboy's default."""
SHUTDOWN_SECONDS: Final = 3
"""Running requests have this time to finish when their listener is stopped."""
SWITCH_SECONDS: Final = 0.5
"""Requests in flight have this time to end before an upgrade switches the code, while new requests wait."""
LIFESPAN_SECONDS: Final = 5
"""The shutdown of an application has this time to finish when its listener is stopped."""


class OwnOptions(TypedDict, total=False):
    """The options that uvicorn does not have, or does not apply to a socket that is passed to it."""

    uds: str | os.PathLike[str]
    reuse_port: bool
    limit_connections: int
    limit_head_bytes: int
    limit_body_bytes: int | None
    timeout_head: float
    timeout_stalled: float
    timeout_switch: float
    drain_websockets: float


class ServerOptions(OwnOptions, total=False):
    """The options of `start_asgi`, `asgi_child` and `start_http`.

    Most options are uvicorn's, with its names and meanings. `backlog` connections may wait to be accepted (default
    2,048). An idle connection is closed after `timeout_keep_alive` seconds (60). When the listener is stopped, running
    requests have `timeout_graceful_shutdown` seconds (3). With more than `limit_concurrency` connections or requests,
    further requests fail with 503. For h11, a head may have `h11_max_incomplete_event_size` bytes. A websocket message
    may have `ws_max_size` bytes; a client is pinged every `ws_ping_interval` seconds, and has `ws_ping_timeout` seconds
    for its answer. `forwarded_allow_ips` names the proxies whose X-Forwarded-For and X-Forwarded-Proto headers are
    believed; by default, no such header is believed. The files of `ssl_certfile` and `ssl_keyfile` are read again when
    they change, and `ssl_cert_reqs` is one of the constants `CERT_` of the module ssl.

    The other options are not uvicorn's. `uds` is the path of a unix socket, on which the listener listens instead of a
    port. With `reuse_port`, listeners of several OS processes share a port. Connections beyond `limit_connections` are
    closed at once. A request's head may have `limit_head_bytes` (65,536). A head, or a TLS handshake, may take
    `timeout_head` seconds (30). A larger body than `limit_body_bytes` (64 MiB; None allows any) is answered with 413. A
    client is disconnected if it does not send the next part of its body, or does not read its response, for
    `timeout_stalled` seconds (60). Before an upgrade switches the code, new requests wait until those in flight have
    ended, for at most `timeout_switch` seconds (0.5; with 0, they don't wait). `drain_websockets` is the time in
    seconds within which the websockets of an application are closed when an upgrade has replaced the application: each
    at a random time, with the code 1012. Without this option, the websockets stay in the old version until they end,
    and a third version of their module has to wait for them. Follows ranch:opts() and cowboy:opts().
    """

    http: Literal["auto", "h11", "httptools"]
    ws: Literal["auto", "none", "websockets-sansio", "wsproto"]
    ws_max_size: int
    ws_ping_interval: float | None
    ws_ping_timeout: float | None
    ws_per_message_deflate: bool
    root_path: str
    headers: list[tuple[str, str]]
    server_header: bool
    date_header: bool
    access_log: bool
    forwarded_allow_ips: list[str] | str
    backlog: int
    limit_concurrency: int
    timeout_keep_alive: int
    timeout_graceful_shutdown: int
    h11_max_incomplete_event_size: int
    ssl_keyfile: str | os.PathLike[str]
    ssl_certfile: str | os.PathLike[str]
    ssl_keyfile_password: str
    ssl_ca_certs: str | os.PathLike[str]
    ssl_cert_reqs: int
    ssl_ciphers: str
    ssl_context_factory: Callable[[uvicorn.Config, Callable[[], ssl.SSLContext]], ssl.SSLContext]


DEFAULTS: Final[ServerOptions] = {
    "server_header": False,
    "access_log": False,
    "backlog": BACKLOG_LIMIT,
    "timeout_keep_alive": KEEP_ALIVE_SECONDS,
    "timeout_graceful_shutdown": SHUTDOWN_SECONDS,
}


def check_options(options: ServerOptions) -> None:
    """Raise TypeError if an option is unknown, and ValueError if a time that only an install uses is invalid."""
    unknown = sorted(set(options) - ServerOptions.__optional_keys__)
    if unknown:
        known = ", ".join(sorted(ServerOptions.__optional_keys__))
        raise TypeError(f"a listener has no option {unknown[0]!r}; the options are {known}")
    for name in ("timeout_switch", "drain_websockets"):
        seconds = options.get(name, 0)
        if not isinstance(seconds, float | int) or not seconds >= 0:  # `not` also refuses nan
            raise ValueError(f"the option {name} is {seconds!r}; pass a number of seconds that is not negative")

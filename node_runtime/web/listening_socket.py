"""The sockets on which listeners accept connections: bound to a port or a path, or inherited from systemd."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from typing import Final

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.workers.worker_number import worker

from .server_options import BACKLOG_LIMIT, ServerOptions

FIRST_INHERITED: Final = 3
"""The first descriptor that systemd passes (SD_LISTEN_FDS_START)."""
PROBE_SECONDS: Final = 60
"""A connection on which nothing is sent for this time is probed."""
PROBE_INTERVAL_SECONDS: Final = 15
PROBES: Final = 4
"""A connection is ended when this number of probes has got no answer. This is 2 minutes after the last data."""
SHARED_REMEDY: Final = "set `workers = 1` in the table [web] of etc/node.toml"


def listening_socket(host: str, port: int, options: ServerOptions) -> socket.socket:
    """Return a socket that listens on a port or, with the option `uds`, on a path; port 0 chooses a free port.

    A socket that systemd has passed to the node for the same address is used instead of a new one. The workers of a
    node share a port, and the kernel spreads the connections over them. Raises `Refused`.
    """
    path, shared = options.get("uds"), worker().count > 1
    address = (host, port) if path is None else os.fspath(path)
    if (inherited := _inherited(address)) is not None:
        return inherited
    if isinstance(address, str):
        if shared:
            raise Refused(f"the workers of a node can't share the socket {address}; {SHARED_REMEDY}")
        return _bind_path(address)
    if shared and not port:
        raise Refused(f"the workers of a node can't share a free port; set a port, or {SHARED_REMEDY}")
    return _bind_port(host, port, reuse_port=shared or options.get("reuse_port", False))


def close_socket(bound: socket.socket) -> None:
    """Close the socket of a listener. Remove its path, too, unless systemd keeps the socket."""
    path = bound.getsockname() if bound.family is socket.AF_UNIX and bound.fileno() >= 0 else ""
    bound.close()
    if path and isinstance(path, str):
        if (of_systemd := _inherited(path)) is not None:
            of_systemd.close()
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _inherited(address: str | tuple[str, int]) -> socket.socket | None:
    """Return a duplicate of the socket for an address that systemd has passed to the node; else None.

    The copy of the node for a rehearsal has these sockets, too.
    """
    if os.environ.get("LISTEN_PID") not in (str(os.getpid()), str(os.getppid())):
        return None
    number = os.environ.get("LISTEN_FDS", "0")
    for descriptor in range(FIRST_INHERITED, FIRST_INHERITED + int(number if number.isdecimal() else 0)):
        try:
            found = socket.socket(fileno=os.dup(descriptor))
        except OSError:
            continue
        if _fits(found.getsockname(), address):
            if found.family is not socket.AF_UNIX:
                _detect_vanished_clients(found)
            return found
        found.close()
    return None


def _fits(found: object, wanted: str | tuple[str, int]) -> bool:
    if isinstance(wanted, str) or not isinstance(found, tuple):
        return found == wanted
    return found[1] == wanted[1] and (found[0] == wanted[0] or found[0] in ("0.0.0.0", "::"))


def _bind_port(host: str, port: int, *, reuse_port: bool) -> socket.socket:
    # asyncio sets TCP_NODELAY only on sockets whose `proto` is TCP; socket.create_server would leave `proto` 0.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        _detect_vanished_clients(bound)
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


def _detect_vanished_clients(bound: socket.socket) -> None:
    """Let the system end connections that a listening socket accepts, when their clients have vanished."""
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("IDLE", PROBE_SECONDS), ("INTVL", PROBE_INTERVAL_SECONDS), ("CNT", PROBES)):
        if (option := getattr(socket, f"TCP_KEEP{name}", None)) is not None:
            bound.setsockopt(socket.IPPROTO_TCP, option, value)


def _bind_path(path: str) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_abandoned(path)
        bound.bind(path)
        bound.listen(BACKLOG_LIMIT)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise Refused(f"the socket {path} is in use; stop its server, or choose another path") from None
        raise Refused(f"the socket {path} can't be bound: {error.strerror}; choose another path") from None
    return bound


def _remove_abandoned(path: str) -> None:
    """Remove the file of a unix socket on which no process listens any more."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)

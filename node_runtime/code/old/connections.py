"""The connections of the event loop whose protocol is an object of a loaded module.

A transport of asyncio calls its protocol until the connection ends. So an open connection continues with the version
that has made its protocol; only new connections get a protocol of the new version.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.sslproto import SSLProtocol
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

from node_runtime.code.module import HotModule

if TYPE_CHECKING:
    from node_runtime.code.module import Namespace

CONNECTION: Final = "a connection of the event loop"
"""The name of a connection as a holder of an old version."""


def is_connection(thing: object) -> bool:
    """Return whether `thing` is a transport, or the TLS layer of one, whose protocol is of a loaded module."""
    protocol = _protocol_of(thing)
    return protocol is not None and isinstance(sys.modules.get(str(type(protocol).__module__)), HotModule)


def close_connections(namespace: Namespace) -> list[str]:
    """Close the connections whose protocol is of a class of the version `namespace`, and return their names.

    The running event loop must list its transports, as asyncio's own loops for sockets do.
    """
    closed = []
    for transport in list(getattr(asyncio.get_running_loop(), "_transports", {}).values()):
        if _is_of(type(_protocol_of(transport)), namespace):
            transport.close()
            closed.append(CONNECTION)
    return closed


def _protocol_of(thing: Any) -> Any:
    """Return the application's protocol, if `thing` is a transport or a TLS layer; else None."""
    package = str(type(thing).__module__).partition(".")[0]
    if isinstance(thing, asyncio.BaseTransport) if package == "asyncio" else package == "uvloop":
        get_protocol = getattr(thing, "get_protocol", None)
        protocol = get_protocol() if get_protocol is not None else None
    else:
        protocol = thing
    return protocol._app_protocol if isinstance(protocol, SSLProtocol) else None if protocol is thing else protocol


def _is_of(cls: type, namespace: Namespace) -> bool:
    """Return whether a class, or one of its bases, has functions of the version `namespace`."""
    members = (member for base in cls.__mro__ for member in vars(base).values())
    return any(isinstance(one, FunctionType) and one.__globals__ is namespace for one in members)

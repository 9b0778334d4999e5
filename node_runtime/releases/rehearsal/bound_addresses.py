"""Checks whether the body of a module can bind an address, or whether the address is in use."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from typing import Any, Final

from node_runtime.protocol.exit_codes import Refused

_INTERNET: Final = (socket.AF_INET, socket.AF_INET6)
_OPTIONS: Final = tuple(
    (level, getattr(socket, name))
    for level, name in (
        (socket.SOL_SOCKET, "SO_REUSEADDR"),
        (socket.SOL_SOCKET, "SO_REUSEPORT"),
        (socket.IPPROTO_IPV6, "IPV6_V6ONLY"),
    )
    if hasattr(socket, name)
)
"""The socket options that decide whether an address that another socket uses can be bound."""
_probing: list[bool] = []
"""Not empty while this module binds a socket itself."""


def check_free_address(bound: Any, address: Any) -> None:
    """Raise the OSError that `bound.bind(address)` would raise in the node because the address is in use.

    For an internet address, this function binds another socket with the same options for an instant, without listening.
    """
    if bound.family in _INTERNET:
        _probe(bound, address)
    elif bound.family == getattr(socket, "AF_UNIX", None) and _is_path(address) and os.path.lexists(address):
        raise _in_use()


def is_probing() -> bool:
    """Return whether `check_free_address` is binding its own socket now."""
    return bool(_probing)


def is_in_use(error: BaseException | None) -> bool:
    """Return whether an error, or the cause of a `Refused`, reports that an address is in use."""
    while isinstance(error, Refused):
        error = error.__cause__
    return isinstance(error, OSError) and error.errno == errno.EADDRINUSE


def _probe(bound: Any, address: Any) -> None:
    _probing.append(True)
    try:
        with socket.socket(bound.family, bound.type, bound.proto) as probe:
            for level, option in _OPTIONS:
                with suppress(OSError):  # not every family has each option
                    probe.setsockopt(level, option, bound.getsockopt(level, option))
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise _in_use() from None
    finally:
        _probing.pop()


def _is_path(address: Any) -> bool:
    return bool(address) and isinstance(address, (str, bytes)) and os.fsencode(address)[0] != 0


def _in_use() -> OSError:
    return OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

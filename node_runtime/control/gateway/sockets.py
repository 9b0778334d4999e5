"""A check for waiting messages that works on every kind of ZeroMQ socket."""

from __future__ import annotations

from typing import Final, cast

import zmq

# These are ints because the operators of an IntFlag are slow: they would take longer than the call of getsockopt.
_EVENTS: Final = int(zmq.EVENTS)
_POLLIN: Final = int(zmq.POLLIN)


def has_message(zmq_socket: zmq.Socket[bytes]) -> bool:
    """Return whether a message has arrived.

    libzmq's descriptor is edge-triggered: after this check, `poll` reports it only when another message arrives.
    """
    return bool(cast(int, zmq_socket.getsockopt(_EVENTS)) & _POLLIN)

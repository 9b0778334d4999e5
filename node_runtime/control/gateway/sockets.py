"""A test that works on each kind of ZeroMQ socket."""

from __future__ import annotations

from typing import Final, cast

import zmq

# The operators of an IntFlag take longer than those of an int, and longer than what they are used for here.
_EVENTS: Final = int(zmq.EVENTS)
_POLLIN: Final = int(zmq.POLLIN)


def has_message(zmq_socket: zmq.Socket[bytes]) -> bool:
    """Return whether a message has arrived. It also makes libzmq's descriptor quiet until the next one arrives."""
    return bool(cast(int, zmq_socket.getsockopt(_EVENTS)) & _POLLIN)

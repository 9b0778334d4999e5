"""Servers: `await gen_server.start_link(Counter, name="counter")`. Follows module gen_server of OTP."""

from .behaviours.call_now import call_now
from .behaviours.gen_server import (
    GenServer,
    call,
    call_within,
    cast,
    continue_with,
    idle_timeout,
    start,
    start_link,
)
from .behaviours.replies import From, deferred, reply
from .behaviours.starting import stop

__all__ = [
    "From",
    "GenServer",
    "call",
    "call_now",
    "call_within",
    "cast",
    "continue_with",
    "deferred",
    "idle_timeout",
    "reply",
    "start",
    "start_link",
    "stop",
]

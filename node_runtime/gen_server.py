"""Servers: `await gen_server.start_link(Counter, name="counter")`. Follows module gen_server of OTP."""

from .behaviours.deferred_reply import From, deferred, reply
from .behaviours.gen_server import GenServer, continue_with, idle_timeout, spawn_link, start, start_link
from .behaviours.server_calls import call, call_within, cast
from .behaviours.starting import stop
from .behaviours.sync_call import call_now

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
    "spawn_link",
    "start",
    "start_link",
    "stop",
]

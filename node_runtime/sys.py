"""Inspection and control of running processes: `await sys.get_state("fil_color_fsm")`. Follows module sys of OTP."""

from .behaviours.sys import (
    Status,
    change_code,
    get_log,
    get_state,
    get_statistics,
    get_status,
    install,
    log,
    no_debug,
    remove,
    replace_state,
    resume,
    statistics,
    suspend,
    terminate,
    trace,
)
from .behaviours.sys_debug import DONE, Logged, Statistics, SystemEvent
from .behaviours.upgrade.live_processes import NotHeld

__all__ = [
    "DONE",
    "Logged",
    "NotHeld",
    "Statistics",
    "Status",
    "SystemEvent",
    "change_code",
    "get_log",
    "get_state",
    "get_statistics",
    "get_status",
    "install",
    "log",
    "no_debug",
    "remove",
    "replace_state",
    "resume",
    "statistics",
    "suspend",
    "terminate",
    "trace",
]

"""Supervisors: `await supervisor.restart_child("nine9s_sup", "state_handler")`. Follows module supervisor of OTP."""

from .behaviours.supervision.child_spec import ChildSpec
from .behaviours.supervision.child_table import BackOff, Flags
from .behaviours.supervision.management import (
    ChildStatus,
    Counts,
    count_children,
    delete_child,
    flags,
    get_childspec,
    restart_child,
    start_child,
    start_link,
    terminate_child,
    which_children,
)
from .behaviours.supervision.supervisor import ChildRefused, Supervisor

__all__ = [
    "BackOff",
    "ChildRefused",
    "ChildSpec",
    "ChildStatus",
    "Counts",
    "Flags",
    "Supervisor",
    "count_children",
    "delete_child",
    "flags",
    "get_childspec",
    "restart_child",
    "start_child",
    "start_link",
    "terminate_child",
    "which_children",
]

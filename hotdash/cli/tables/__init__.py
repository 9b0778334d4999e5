"""What the verbs print for people, as rich renderables. What a node says is data here, never markup."""

from .layout import text
from .node import modules, nodes, processes, releases, state, status, tree
from .operations import audit, event_line, events, operations, results, step
from .plans import plan

__all__ = [
    "audit",
    "event_line",
    "events",
    "modules",
    "nodes",
    "operations",
    "plan",
    "processes",
    "releases",
    "results",
    "state",
    "status",
    "step",
    "text",
    "tree",
]

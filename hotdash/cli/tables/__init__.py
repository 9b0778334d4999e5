"""The tables that the verbs print, as rich renderables. Text from a node is never parsed as markup."""

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

"""The tables that the verbs print, as rich renderables. Text from a node is never parsed as markup."""

from .layout import text
from .node import modules, nodes, releases, state, status
from .operations import audit, event_line, events, operations, results, step
from .plans import plan
from .processes import tree_lines

__all__ = [
    "audit",
    "event_line",
    "events",
    "modules",
    "nodes",
    "operations",
    "plan",
    "releases",
    "results",
    "state",
    "status",
    "step",
    "text",
    "tree_lines",
]

"""What the verbs print for people, as rich renderables. What a node says is data here, never markup."""

from .operations import audit, event_line, events, operations, results, step
from .parts import text
from .plans import plan
from .things import modules, nodes, processes, releases, state, status, tree

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

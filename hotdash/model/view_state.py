"""What a screen is drawn from: the node, the desk that it stands on, and the time."""

from __future__ import annotations

from dataclasses import dataclass, field

from .node_view import NodeView
from .selection import ProcessKey

ARMED_SECONDS = 15 * 60.0
"""Seconds for which the operator's actions stay allowed."""


@dataclass(frozen=True, slots=True)
class DashboardState:
    """The dashboard's own condition.

    `busy` says what it is waiting for, `cost` what it costs this machine, `page` is where the node's users look.
    """

    view: str = "overview"
    armed_until: float | None = None
    paused: bool = False
    busy: str = ""
    cost: str = ""
    page: str = ""
    keymap: dict[str, str] = field(default_factory=dict)

    def armed(self, now: float) -> bool:
        """Whether the operator's actions are allowed."""
        return self.armed_until is not None and now < self.armed_until


@dataclass(frozen=True, slots=True)
class ViewState:
    """One moment. `now` is the local time."""

    node: NodeView
    dashboard: DashboardState
    now: float

    @property
    def armed(self) -> bool:
        """Whether the operator's actions are allowed."""
        return self.dashboard.armed(self.now)

    @property
    def fresh(self) -> bool:
        """Whether the node may be taken to be as drawn."""
        return self.node.fresh(self.now)

    @property
    def node_now(self) -> float:
        """The node's clock."""
        return self.node.node_now(self.now)


@dataclass(frozen=True, slots=True)
class Selection:
    """What an action would be about, by identity."""

    process: ProcessKey | None = None
    vsn: str | None = None
    operation: str | None = None


@dataclass(frozen=True, slots=True)
class DataNeeds:
    """What the open view needs: `pictures` that move by themselves, and the state of one process."""

    snapshots: bool = True
    process: ProcessKey | None = None

"""The state that a screen is drawn from: the node, the dashboard, and the time."""

from __future__ import annotations

from dataclasses import dataclass, field

from node_runtime.protocol.messages import Direction, ProcessQuery, Role, TreeQuery

from .node_tabs import NodeTab
from .node_view import NodeView
from .selection import ProcessKey

ARMED_SECONDS = 15 * 60.0
"""Seconds for which the operator's actions stay allowed after arming."""


@dataclass(frozen=True, slots=True)
class DashboardState:
    """The state of the dashboard itself.

    `busy` is a sentence about the work that the dashboard waits for. `cost` is the dashboard's own CPU and memory use.
    `page` is the URL of the page that the node serves. `recording` says that a recording is made; `replay` is the
    position of the replay of a recording. `tabs` are the open nodes, if there are several; `open_tab` is the index of
    the shown node.
    """

    view: str = "overview"
    armed_until: float | None = None
    paused: bool = False
    busy: str = ""
    cost: str = ""
    page: str = ""
    recording: str = ""
    replay: str = ""
    tabs: tuple[NodeTab, ...] = ()
    open_tab: int = 0
    keymap: dict[str, str] = field(default_factory=dict)

    def armed(self, now: float) -> bool:
        """Return whether the operator's actions are allowed."""
        return self.armed_until is not None and now < self.armed_until


@dataclass(frozen=True, slots=True)
class ViewState:
    """Everything that a screen draws, at the local time `now`."""

    node: NodeView
    dashboard: DashboardState
    now: float

    @property
    def armed(self) -> bool:
        """Return whether the operator's actions are allowed."""
        return self.dashboard.armed(self.now)

    @property
    def role(self) -> Role | None:
        """The role of the dashboard's cookie; None before the first snapshot."""
        snapshot = self.node.snapshot
        return None if snapshot is None else snapshot.info.role

    @property
    def fresh(self) -> bool:
        """Whether the displayed data is up to date."""
        return self.node.fresh(self.now)

    @property
    def node_now(self) -> float:
        """The time on the node's clock."""
        return self.node.node_now(self.now)


@dataclass(frozen=True, slots=True)
class Selection:
    """The identities of the objects that an action would apply to.

    If any processes are `marked`, the action applies to them instead of `process`. If the selected process has ended,
    `successor` is the process that replaces it; only actions that change nothing may use it. `direction` is the
    direction of the selected plan to the release `vsn`.
    """

    process: ProcessKey | None = None
    vsn: str | None = None
    direction: Direction | None = None
    operation: str | None = None
    module: str | None = None
    marked: tuple[ProcessKey, ...] = ()
    successor: ProcessKey | None = None


@dataclass(frozen=True, slots=True)
class DataNeeds:
    """The data that the open view needs.

    If `snapshots`, it needs a summary of the node every second. `process` is the process whose state it needs. `tree`
    and `processes` are the queries for the rows that it shows. If `old_code`, it needs what keeps the old versions of
    modules.
    """

    snapshots: bool = True
    process: ProcessKey | None = None
    old_code: bool = False
    tree: TreeQuery | None = None
    processes: ProcessQuery | None = None

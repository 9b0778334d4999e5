"""The dashboard on several nodes, one tab for each.

Only the open node is watched, with the link of the dashboard. The tabs of the other nodes show the release, which is
read every two seconds. When a tab is left, its screens and the known state of its node are kept. When it is opened
again, a new link reads everything that has happened meanwhile, as after a lost connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from hotdash.app import HotdashApp
from hotdash.dashboard_options import DashboardOptions
from hotdash.model.node_tabs import NodeTab
from hotdash.model.node_view import NodeView
from hotdash.model.releases.release_words import running_release
from hotdash.model.units import countdown
from hotdash.model.view_state import DashboardState
from hotdash.node_link import NodeLink
from hotdash.screens.main import MainScreen
from node_runtime.protocol.run_directory import NodeAddress

from .known_nodes import KnownNode, NodeReport
from .node_watch import NodeWatch

_FIRST_MODE: Final = "node 1"


@dataclass(slots=True)
class _OpenNode:
    """One of the nodes.

    `view` is the state of the node, and `dashboard` the state of the dashboard, when the node's tab was last left.
    `mode` is Textual's name of the node's stack of screens.
    """

    address: NodeAddress
    cookie_file: Path | None
    mode: str
    view: NodeView
    dashboard: DashboardState
    tab: NodeTab

    @property
    def known(self) -> KnownNode:
        """The node, as the list of nodes names it."""
        address = self.address
        name = address.name if address.record is not None else f"{address.name}:{address.port}"
        return KnownNode(name, self.cookie_file)


class TabsApp(HotdashApp):
    """The dashboard on `nodes`, at least two, each with its cookie file. The first is open at the start.

    `options` are about the first node; the other nodes are read-only until the user arms the dashboard on them.
    """

    DEFAULT_MODE = _FIRST_MODE

    def __init__(self, nodes: Sequence[tuple[NodeAddress, Path | None]], options: DashboardOptions) -> None:
        super().__init__(nodes[0][0], options)
        self._delays = options.reconnect_delays
        self._open_nodes = [
            _OpenNode(
                address, cookie_file, f"node {number}", NodeView(address.name), self.dashboard, NodeTab(address.name)
            )
            for number, (address, cookie_file) in enumerate(nodes, 1)
        ]
        for node in self._open_nodes:
            self.add_mode(node.mode, self._make_screen)
        self._open = self._wanted = 0
        self._leaving = False
        self._watch = NodeWatch(self._others, self._receive)
        self._show_tabs()

    def _make_screen(self) -> MainScreen:
        return MainScreen(self._remembered())

    def on_mount(self) -> None:  # Textual also calls that of the base class
        self._watch.start()

    async def on_unmount(self) -> None:
        await self._watch.close()

    # -------------------------------------------------------------- the nodes whose tabs are not open

    def _others(self) -> list[KnownNode]:
        return [node.known for number, node in enumerate(self._open_nodes) if number != self._open]

    def _receive(self, report: NodeReport) -> None:
        for node in self._open_nodes:
            if node.known == report.node:
                node.tab = _tab_of(node.address.name, report)
        self._show_tabs()

    def _show_tabs(self) -> None:
        """Draw the tabs. The tab of the open node shows only its name, because the header shows the rest."""
        tabs = tuple(
            replace(node.tab, words="") if number == self._open else node.tab
            for number, node in enumerate(self._open_nodes)
        )
        self.dashboard = replace(self.dashboard, tabs=tabs, open_tab=self._open)
        self.draw()

    # -------------------------------------------------------------- opening another tab

    def go_to_node(self, step: int) -> None:
        self.action_open_tab((self._wanted + step) % len(self._open_nodes))

    def action_open_tab(self, number: int) -> None:
        """Leave the open node, and show another one."""
        self._wanted = number
        if not self._leaving and number != self._open:
            self._leaving = True
            self.call_later(self._leave)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable the action that opens another tab while a dialog is open."""
        if action == "open_tab":
            return not self.has_dialog
        return super().check_action(action, parameters)

    async def _leave(self) -> None:
        """Close the link. The messages that it has posted are handled before the next node is shown."""
        self.remember()
        await self.link.close()
        self.call_later(self._show_wanted)

    async def _show_wanted(self) -> None:
        left = self._open_nodes[self._open]
        left.view, left.dashboard = self.node, replace(self.dashboard, paused=False, busy="")
        self.workers.cancel_all()
        self.reception.forget()
        self._paused_node = None
        node = self._open_nodes[self._wanted]
        self._leaving, self._open = False, self._wanted
        self.address, self._cookie_file = node.address, None if node.cookie_file is None else str(node.cookie_file)
        self.node, self.dashboard = node.view, node.dashboard
        self.link = NodeLink(node.address, self.post_message, delays=self._delays)
        await self.switch_mode(node.mode)
        self.link.start()
        self._show_tabs()
        self._update_needs()


def _tab_of(name: str, report: NodeReport) -> NodeTab:
    """Return the tab of a node that is not open."""
    if report.summary is None:
        return NodeTab(name, "can't be reached", "bad") if report.refused else NodeTab(name)
    info, running = report.summary.info, running_release(report.summary.releases)
    if running is not None and running.probation_until is not None:
        bad = running.health is not None and running.health.verdict == "bad"
        left = countdown(running.probation_until - report.summary.vitals.at)
        return NodeTab(name, f"{info.vsn} ◆ {left}", "bad" if bad else "warn")
    return NodeTab(name, info.vsn, "ok" if info.vsn == info.permanent else "warn")

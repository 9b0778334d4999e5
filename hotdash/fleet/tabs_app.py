"""The dashboard on several nodes, one tab for each.

Only the open node is watched, with the link of the dashboard. Of each other node, the tab shows the release, which is
read every two seconds. What was known of a node, and its screens, are kept until its tab is opened again; the new link
then reads everything that has happened meanwhile, as after a lost connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from hotdash.app import HotdashApp
from hotdash.dashboard_options import DashboardOptions
from hotdash.model.node_tabs import NodeTab, tab_of
from hotdash.model.node_view import NodeView
from hotdash.model.view_state import DashboardState
from hotdash.node_link import NodeLink
from hotdash.screens.main import MainScreen
from node_runtime.protocol.run_directory import NodeAddress

from .known_nodes import KnownNode, ask_node

ASK_SECONDS: Final = 2.0
"""Seconds between two readings of the nodes whose tabs are not open."""
_FIRST_MODE: Final = "node 1"


@dataclass(slots=True)
class _OpenNode:
    """One of the nodes. `view` and `dashboard` are what its tab showed when it was left, or the beginning.

    `mode` is Textual's name of its stack of screens.
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
        self._asking: asyncio.Task[None] | None = None
        self._show_tabs()

    def _make_screen(self) -> MainScreen:
        return MainScreen(self._remembered())

    def on_mount(self) -> None:  # Textual also calls that of the base class
        self._asking = asyncio.create_task(self._ask(), name="tabs")

    async def on_unmount(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait((self._asking,))

    # -------------------------------------------------------------- the nodes whose tabs are not open

    async def _ask(self) -> None:
        while True:
            others = [node for number, node in enumerate(self._open_nodes) if number != self._open]
            await asyncio.gather(*map(self._ask_about, others))
            await asyncio.sleep(ASK_SECONDS)

    async def _ask_about(self, node: _OpenNode) -> None:
        report = await ask_node(node.known)
        node.tab = tab_of(node.address.name, report.summary, refused=bool(report.refused))
        self._show_tabs()

    def _show_tabs(self) -> None:
        """Draw the tabs. The tab of the open node has no words, because the header below has them."""
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
        """While a dialog is open, its node stays open."""
        if action == "open_tab":
            return not self.screen.is_modal
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

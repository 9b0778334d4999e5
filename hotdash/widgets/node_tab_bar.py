"""The line with the nodes that the dashboard has open. It is hidden while there is only one."""

from __future__ import annotations

from textual.app import RenderResult
from textual.content import Content
from textual.reactive import reactive
from textual.style import Style

from hotdash.actions import key_of
from hotdash.model.node_tabs import TAB_GAP, NodeTab, tab_parts
from hotdash.model.view_state import ViewState

from .bars import ClickableBar
from .painting import content


class NodeTabBar(ClickableBar):
    """One tab for each node; the open one is highlighted. A click on a tab opens it."""

    DEFAULT_CSS = """
    NodeTabBar {
        height: 1;
        padding: 0 1;
        display: none;
        background: $surface;
        &.-shown { display: block; }
    }
    """

    tabs: reactive[tuple[NodeTab, ...]] = reactive(())
    open_tab: reactive[int] = reactive(0)
    keys: reactive[str] = reactive("")

    def show(self, view_state: ViewState) -> None:
        """Draw the state."""
        self.set_class(len(view_state.dashboard.tabs) > 1, "-shown")
        self.tabs, self.open_tab = view_state.dashboard.tabs, view_state.dashboard.open_tab
        keymap = view_state.dashboard.keymap
        self.keys = f"{key_of('previous_node', keymap)} {key_of('next_node', keymap)} node"

    def render(self) -> RenderResult:
        highlight = "bold reverse" if self.app.native_ansi_color else "bold on $primary 30%"
        parts: list[Content] = []
        room = self.content_size.width - len(self.keys) - 1
        for number, line in enumerate(tab_parts(self.tabs, room)):
            part = content(line).pad(1, 1)
            if number == self.open_tab:
                part = part.stylize(highlight)
            parts.append(part.stylize(Style.from_meta({"@click": f"app.open_tab({number})"})))
        tabs = Content(TAB_GAP).join(parts)
        gap = max(1, self.content_size.width - tabs.cell_length - len(self.keys))
        return Content.assemble(tabs, " " * gap, (self.keys, "$foreground 72%"))

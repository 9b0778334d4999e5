"""Base classes of the views and the full screens."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen

from hotdash.config.memory import ViewMemory
from hotdash.model.view_state import DataNeeds, Selection, ViewState
from hotdash.widgets.bars import KeyBar, Notice
from hotdash.widgets.header import Header
from hotdash.widgets.node_tab_bar import NodeTabBar
from node_runtime.protocol.exit_codes import ExitCode, Refused


class View(Vertical):
    """One of the numbered views. `filtered` is the text of the filter, `filter_hint` says what it may contain."""

    DEFAULT_CSS = """
    View { height: 1fr; }
    """

    filtered: str = ""
    filter_hint: ClassVar[str] = "every word must match"

    def show(self, view_state: ViewState) -> None:
        """Draw the state."""
        raise NotImplementedError

    def selected(self) -> Selection:
        """Return the selection that an action would apply to."""
        return Selection()

    def needs(self) -> DataNeeds:
        """Return the data to read from the node while this view is open."""
        return DataNeeds(snapshots=False)

    def memory(self) -> ViewMemory:
        """Return the names, such as those of columns, that `restore` gets when the dashboard next shows this node."""
        return {}

    def restore(self, memory: ViewMemory) -> None:
        """Apply names, such as those of columns, from an earlier `memory()` or from the settings file."""


class NodeScreen(Screen[None]):
    """A full screen: the tabs of several nodes and the header above, the keys of `footer_name` below."""

    DEFAULT_CSS = """
    NodeScreen { background: $background; }
    """

    footer_name = ""

    def compose(self) -> ComposeResult:
        yield NodeTabBar()
        yield Header()
        yield Notice()
        yield from self.body()
        yield KeyBar()

    def body(self) -> ComposeResult:
        """Yield the widgets between the header and the key bar."""
        raise NotImplementedError

    def show(self, view_state: ViewState) -> None:
        """Draw the state."""
        self.query_one(NodeTabBar).show(view_state)
        self.query_one(Header).show(view_state)
        self.query_one(Notice).show(view_state)
        self.draw(view_state)
        self.show_keys(view_state)

    def show_keys(self, view_state: ViewState) -> None:
        """Draw the keys at the bottom, which also depend on the selection."""
        self.query_one(KeyBar).show(view_state, self.footer_name, self.selected())

    def draw(self, view_state: ViewState) -> None:
        """Draw the body."""
        raise NotImplementedError

    def open_filter(self) -> None:
        """Open the filter field. Raises Refused if the screen has none."""
        raise Refused("This screen has no filter.", ExitCode.USAGE)

    def clear_filter(self) -> bool:
        """Remove the filter and close its field; return whether there was one."""
        return False

    def selected(self) -> Selection:
        """Return the selection that an action would apply to."""
        return Selection()

    def needs(self) -> DataNeeds:
        """Return the data to read from the node while this view is open."""
        return DataNeeds(snapshots=False)

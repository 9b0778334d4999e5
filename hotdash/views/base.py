"""What views and full screens have in common: they are shown a picture, and say what an action would be about."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen

from hotdash.model.view_state import DataNeeds, Selection, ViewState
from hotdash.widgets.bars import KeyBar, Notice
from hotdash.widgets.header import Header


class View(Vertical):
    """One of the numbered views. `filtered` is what the operator typed after the slash."""

    DEFAULT_CSS = """
    View { height: 1fr; }
    """

    filtered: str = ""

    def show(self, view_state: ViewState) -> None:
        """Draw another moment."""
        raise NotImplementedError

    def selected(self) -> Selection:
        """What an action would be about."""
        return Selection()

    def needs(self) -> DataNeeds:
        """What the node has to be asked for while this is open."""
        return DataNeeds(snapshots=False)


class NodeScreen(Screen[None]):
    """A full screen with the header above and the keys below."""

    DEFAULT_CSS = """
    NodeScreen { background: $background; }
    """

    footer_name = ""

    def compose(self) -> ComposeResult:
        yield Header()
        yield Notice()
        yield from self.body()
        yield KeyBar()

    def body(self) -> ComposeResult:
        """What stands between header and keys."""
        raise NotImplementedError

    def show(self, view_state: ViewState) -> None:
        """Draw another moment."""
        self.query_one(Header).show(view_state)
        self.query_one(Notice).show(view_state)
        self.query_one(KeyBar).show(view_state, self.footer_name)
        self.draw(view_state)

    def draw(self, view_state: ViewState) -> None:
        """Draw what is the screen's own."""
        raise NotImplementedError

    def selected(self) -> Selection:
        """What an action would be about."""
        return Selection()

    def needs(self) -> DataNeeds:
        """What the node has to be asked for while this is open."""
        return DataNeeds(snapshots=False)

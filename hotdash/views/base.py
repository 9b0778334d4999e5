"""What views and full screens have in common: they are shown a picture, and say what an action would be about."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen

from hotdash.model.view_state import Picture, Selected, Wants
from hotdash.widgets.bars import KeyBar, Notice
from hotdash.widgets.header import Header


class View(Vertical):
    """One of the numbered views. `filtered` is what the operator typed after the slash."""

    DEFAULT_CSS = """
    View { height: 1fr; }
    """

    filtered: str = ""

    def show(self, picture: Picture) -> None:
        """Draw another moment."""
        raise NotImplementedError

    def selected(self) -> Selected:
        """What an action would be about."""
        return Selected()

    def wants(self) -> Wants:
        """What the node has to be asked for while this is open."""
        return Wants(pictures=False)


class NodeScreen(Screen[None]):
    """A full screen with the header above and the keys below."""

    DEFAULT_CSS = """
    NodeScreen { background: $background; }
    """

    keys_of = ""

    def compose(self) -> ComposeResult:
        yield Header()
        yield Notice()
        yield from self.body()
        yield KeyBar()

    def body(self) -> ComposeResult:
        """What stands between header and keys."""
        raise NotImplementedError

    def show(self, picture: Picture) -> None:
        """Draw another moment."""
        self.query_one(Header).show(picture)
        self.query_one(Notice).show(picture)
        self.query_one(KeyBar).show(picture, self.keys_of)
        self.draw(picture)

    def draw(self, picture: Picture) -> None:
        """Draw what is the screen's own."""
        raise NotImplementedError

    def selected(self) -> Selected:
        """What an action would be about."""
        return Selected()

    def wants(self) -> Wants:
        """What the node has to be asked for while this is open."""
        return Wants(pictures=False)

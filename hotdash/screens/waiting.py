"""The dialog that is open until the node has answered what the next dialog asks about."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.worker import get_current_worker

from hotdash.model.styled_text import line, span
from hotdash.widgets.bars import StaticLines
from hotdash.widgets.painting import content

from .dialog import Dialog


class WaitingDialog(Dialog[None]):
    """Says what the dashboard waits for. Escape calls `give_up`; all other keys have no effect.

    The operator may type a key for the next dialog before that dialog has shown its question. Such a key must neither
    answer the question nor act on the view below.
    """

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "give_up", "Stop waiting")]

    def __init__(self, title: str, sentence: str, give_up: Callable[[], None]) -> None:
        super().__init__()
        self._title, self._sentence, self._give_up = title, sentence, give_up

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = content(line(span(self._title)))
            yield StaticLines()

    def on_mount(self) -> None:
        self.show(self._sentence)

    def show(self, sentence: str) -> None:
        """Replace the sentence, which is data, not markup."""
        self._sentence = sentence
        self.query_one(StaticLines).show([line(sentence), line(span("esc", "name"), span(" stops waiting", "muted"))])

    def action_give_up(self) -> None:
        """Stop waiting. Nothing has been changed."""
        self._give_up()


@asynccontextmanager
async def waiting(app: App[Any], title: str, sentence: str) -> AsyncIterator[None]:
    """Show a `WaitingDialog` inside the block. Escape cancels the worker that runs the block.

    If the next dialog is opened right after the block, no key arrives between the two.
    """
    dialog = WaitingDialog(title, sentence, get_current_worker().cancel)
    app.push_screen(dialog)
    try:
        yield
    finally:
        if app.is_running and app.screen is dialog:
            app.pop_screen()

"""The dialog that asks for the file of an export."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from hotdash.model.styled_text import line, span
from hotdash.widgets.bars import StaticLines


class ExportDialog(ModalScreen[str | None]):
    """The dialog; its result is the typed path, or None when cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss", "Cancel")]

    DEFAULT_CSS = """
    ExportDialog {
        align: center middle;
        & > Vertical {
            width: 76; max-width: 96%; height: auto;
            background: $surface; border: round $primary; padding: 0 2;
            border-title-color: $foreground; border-title-style: bold;
        }
        & StaticLines { padding: 1 0; }
        & Input { background: $foreground 10%; margin-bottom: 1; }
    }
    """

    def __init__(self, path: str, what: str) -> None:
        super().__init__()
        self._path = path
        self._what = what

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Export what this view shows"
            box.border_subtitle = "enter writes, esc cancels"
            yield StaticLines()
            yield Input(self._path, compact=True, select_on_focus=False)

    def on_mount(self) -> None:
        endings = ".txt, .csv and .json are the rows, .svg is a picture of the screen."
        self.query_one(StaticLines).show([line(span(self._what, "strong")), line(span(endings, "muted"))])
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def _submit(self, submitted: Input.Submitted) -> None:
        if submitted.value.strip():
            self.dismiss(submitted.value.strip())

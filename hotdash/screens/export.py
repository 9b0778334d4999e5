"""The dialog that asks for the file of an export, and writes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Input

from hotdash.model.styled_text import line, span
from hotdash.widgets.bars import StaticLines
from node_runtime.protocol.exit_codes import Refused

from .dialog import Dialog


class ExportDialog(Dialog[str | None]):
    """The dialog; its result is the path of the written file, or None when cancelled.

    `write(typed)` writes the file that the operator names, and returns its path. If it raises Refused, the dialog stays
    open and shows the sentence.
    """

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss", "Cancel")]

    DEFAULT_CSS = """
    ExportDialog {
        & Input { background: $foreground 10%; }
        & #refusal { min-height: 1; padding: 0; }
    }
    """

    def __init__(self, path: str, what: str, write: Callable[[str], str]) -> None:
        super().__init__()
        self._path = path
        self._what = what
        self._write = write

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Export what this view shows"
            box.border_subtitle = "enter writes, esc cancels"
            yield StaticLines()
            yield Input(self._path, compact=True, select_on_focus=False)
            yield StaticLines(id="refusal")

    def on_mount(self) -> None:
        endings = ".txt, .csv and .json are the rows, .svg is a picture of the screen."
        self.query_one(StaticLines).show([line(span(self._what, "strong")), line(span(endings, "muted"))])
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def _submit(self, submitted: Input.Submitted) -> None:
        typed = submitted.value.strip()
        if not typed:
            return
        try:
            written = self._write(typed)
        except Refused as refusal:
            self.query_one("#refusal", StaticLines).show([line(span(refusal.sentence, "bad"))])
        else:
            self.dismiss(written)

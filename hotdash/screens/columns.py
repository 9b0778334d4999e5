"""The dialog that chooses the columns of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from hotdash.model.styled_text import Span, line, span
from hotdash.moves import move_keys
from hotdash.widgets.bars import StaticLines
from hotdash.widgets.table import Column, Row, Table

from .dialog import Dialog


class ColumnTable(Table):
    """The columns; the shown ones are marked."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(move_keys("toggle_row"), "screen.toggle_column", id="toggle_row", show=False)
    ]


class ColumnDialog(Dialog[tuple[str, ...] | None]):
    """The dialog; its result are the names of the columns in the order of `titles`, or None when cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,q", "dismiss", "Cancel")]

    DEFAULT_CSS = """
    ColumnDialog {
        & > Vertical { width: 44; padding: 0 1; }
        & ColumnTable { height: 15; }
        & StaticLines { padding: 0 1; }
    }
    """

    def __init__(self, titles: Mapping[str, str], shown: tuple[str, ...]) -> None:
        super().__init__()
        self._titles = titles
        self._shown = set(shown)

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Columns of the processes"
            box.border_subtitle = "esc cancels"
            yield ColumnTable((Column("", min_width=30, grow=True),), id="columns")
            yield StaticLines()

    def on_mount(self) -> None:
        self._draw()
        self.query_one(ColumnTable).focus()

    def _draw(self) -> None:
        marks = {True: Span("✓ ", "ok"), False: Span("  ")}
        rows = [Row(name, ((marks[name in self._shown], span(title)),)) for name, title in self._titles.items()]
        self.query_one(ColumnTable).show(rows)
        hint = "space shows or hides, enter applies" if self._shown else "at least one column has to be shown"
        self.query_one(StaticLines).show([line(span(hint, "muted" if self._shown else "warn"))])

    def action_toggle_column(self) -> None:
        """Show or hide the column under the cursor, and go on to the next."""
        table = self.query_one(ColumnTable)
        if isinstance(table.key, str):
            self._shown ^= {table.key}
            self._draw()
            table.action_move(1)

    def on_table_row_chosen(self) -> None:
        """Close the dialog with the marked columns as its result."""
        if self._shown:
            self.dismiss(tuple(name for name in self._titles if name in self._shown))

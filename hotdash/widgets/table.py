"""A table, or a tree, whose cursor stays on the key of a row and not at a position.

Only visible rows are drawn, so a table may have any number of rows. When a refresh moves the selected row, the cursor
moves with it and stays at the same height of the screen. When the row is removed, no row is selected until the cursor
moves.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar, get_args

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from hotdash.model.styled_text import Line, Span, Tone, span, text_of, width_of
from hotdash.moves import move_keys

from .export import ExportedRows
from .painting import LineScrollView

_GAP = 2
MIN_JOINED = 6
"""The minimum number of columns of the terminal in which the cell of a dropped column is shown."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as wide as its content, from `min_width` to `max_width` cells.

    In a narrow table, columns with `grow` shrink first, and columns with a higher `drop_order` are dropped first. A
    column with `grow` takes the width that the other columns leave, but at most its `max_width` or the width of its
    content, whichever is larger. A column may exceed its `max_width` up to `roomy_width` if no other column is narrower
    because of it. If a column with `joins` is dropped, its cells are shown after the cells of the column with `grow`. A
    cell that is too long then loses its beginning, because the ends of such cells differ more.
    """

    title: str
    min_width: int = 1
    max_width: int = 40
    drop_order: int = 0
    align_right: bool = False
    grow: bool = False
    roomy_width: int = 0
    joins: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """The key of a row and its cells."""

    key: Hashable
    cells: tuple[Line, ...]


class Table(LineScrollView):
    """Rows with a cursor."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--cursor", "table--cursor-blurred"}

    DEFAULT_CSS = """
    Table {
        & > .table--cursor { background: $primary 30%; }
        & > .table--cursor-blurred { background: $foreground 10%; }
        &:ansi > .table--cursor { background: transparent; text-style: reverse; }
        &:ansi > .table--cursor-blurred { background: transparent; text-style: underline; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(move_keys("move_up"), "move(-1)", id="move_up", show=False),
        Binding(move_keys("move_down"), "move(1)", id="move_down", show=False),
        Binding(move_keys("page_up"), "page(-1)", id="page_up", show=False),
        Binding(move_keys("page_down"), "page(1)", id="page_down", show=False),
        Binding(move_keys("first"), "edge(-1)", id="first", show=False),
        Binding(move_keys("last"), "edge(1)", id="last", show=False),
        Binding("enter", "choose", show=False),
    ]

    class CursorMoved(Message):
        """The cursor has moved to another row. `key` is None when the table is empty."""

        def __init__(self, table: Table, key: Hashable | None) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> Table:
            return self.table

    class RowChosen(CursorMoved):
        """Enter was pressed, or the row under the cursor was clicked."""

    def __init__(self, columns: Sequence[Column], *, id: str | None = None, empty: str = "Nothing here.") -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.key: Hashable | None = None
        self._rows: tuple[Row, ...] = ()
        self._index: dict[Hashable, int] = {}
        self._cursor_row = 0
        self._empty = self.empty_line(empty)
        self._widths: list[tuple[int, int]] = []

    # -------------------------------------------------------------- content

    def show(self, rows: Sequence[Row], empty: str | None = None) -> None:
        """Replace the rows; the cursor stays on its key."""
        if empty is not None:
            self._empty = self.empty_line(empty)
        if tuple(rows) == self._rows and rows:
            return
        self._rows = tuple(rows)
        self._index = {row.key: number for number, row in enumerate(self._rows)}
        self._measure()
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._rows) + 1)
        if self.key is None and self._rows:
            self._move_cursor(0)
        elif self.key in self._index:
            moved = self._index[self.key] - self._cursor_row
            self._cursor_row += moved
            if moved and self.scroll_offset.y:
                self.scroll_to(y=self.scroll_offset.y + moved, animate=False, immediate=True)
        self.refresh_changed()

    def exported(self) -> ExportedRows:
        rows = tuple(tuple(text_of(cell).strip() for cell in row.cells) for row in self._rows)
        titles = tuple(column.title.removesuffix(" ↑").removesuffix(" ↓") for column in self.columns)
        return ExportedRows(titles, rows, self.row_count)

    @staticmethod
    def empty_line(text: str) -> Line:
        """Return the line that is shown instead of rows."""
        return (span(text, "muted"),)

    @property
    def row_count(self) -> int:
        """The number of rows, including those whose content has not arrived yet."""
        return len(self._rows)

    def _row_at(self, index: int) -> Row | None:
        return self._rows[index] if 0 <= index < len(self._rows) else None

    @property
    def cursor_on_row(self) -> bool:
        """Whether the row under the cursor still exists."""
        return self.key in self._index

    def select(self, key: Hashable) -> None:
        """Put the cursor on this key, now or as soon as its row appears."""
        if key in self._index:
            self._move_cursor(self._index[key])
        elif key != self.key:
            self.key = key
            self.post_message(self.CursorMoved(self, key))

    def leave_hidden_row(self) -> None:
        """Put the cursor on the first row if a new filter hides its row: keys act on what the operator sees."""
        if self._rows and not self.cursor_on_row:
            self._move_cursor(0)

    def on_resize(self) -> None:
        self._measure()
        self.virtual_size = Size(self.scrollable_content_region.width, self.row_count + 1)
        self._scroll_to_cursor()

    def _measure(self) -> None:
        """Compute the shown columns: [(column number, width)], in the order of the columns."""
        room = self.scrollable_content_region.width - 2
        if room < 0:  # the table has no size yet, and is laid out when it gets one
            self._widths = []
            return
        widths = {
            number: min(column.max_width, max(column.min_width, len(column.title), self._widest(number)))
            for number, column in enumerate(self.columns)
        }
        while len(widths) > 1 and sum(self._required_width(n, w) + _GAP for n, w in widths.items()) - _GAP > room:
            widths.pop(max(widths, key=lambda number: (self.columns[number].drop_order, number)))
        for number, width in list(widths.items()):
            more = min(self.columns[number].roomy_width, self._widest(number)) - width
            if 0 < more <= room - sum(one + _GAP for one in widths.values()) + _GAP:
                widths[number] += more
        grow = next((number for number in widths if self.columns[number].grow), None)
        if grow is not None:
            others = sum(width + _GAP for number, width in widths.items() if number != grow)
            column, longest = self.columns[grow], self._widest(grow)
            widths[grow] = max(column.min_width, min(max(column.max_width, longest), room - others))
        self._widths = list(widths.items())

    def _widest(self, number: int) -> int:
        """Return the width of the widest cell in a column."""
        return max((width_of(row.cells[number]) for row in self._rows), default=0)

    def _required_width(self, number: int, width: int) -> int:
        return self.columns[number].min_width if self.columns[number].grow else width

    # -------------------------------------------------------------- drawing

    def shown_at(self, y: int) -> Hashable:
        if y == 0:
            return self.columns, tuple(self._widths)
        index = y - 1 + self.scroll_offset.y
        if (row := self._row_at(index)) is not None:
            return row.cells, row.key == self.key, tuple(self._widths)
        return index < self.row_count, self._empty if y == 1 and not self.row_count else ()

    def draw_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        background = self.rich_style
        index = y - 1 + self.scroll_offset.y
        if y == 0:
            titles = tuple(
                () if one.joins and self._is_dropped(n) else (Span(one.title, "muted"),)
                for n, one in enumerate(self.columns)
            )
            return Strip([Segment(" ", background), *self._cells(titles, background)]).adjust_cell_length(
                width, background
            )
        if not self.row_count and y == 1:
            return self.strip((Span(" "), *self._empty), width, background)
        row = self._row_at(index)
        if row is None:
            return self.strip((Span(" "), Span("…", "muted")) if index < self.row_count else (), width, background)
        if row.key == self.key:
            return self._cursor_strip(row, width, background)
        return Strip([Segment(" ", background), *self._cells(row.cells, background)]).adjust_cell_length(
            width, background
        )

    def _cursor_strip(self, row: Row, width: int, background: Style) -> Strip:
        cursor_style = self.get_component_rich_style("table--cursor" if self.has_focus else "table--cursor-blurred")
        background = background + Style(bgcolor=cursor_style.bgcolor)
        marker_tone: Tone = "plain" if cursor_style.reverse else "name"
        marker = Segment("▌" if self.has_focus else "▏", self._tone(marker_tone) + Style(bgcolor=cursor_style.bgcolor))
        plain = get_args(Tone) if cursor_style.reverse else ("muted",)
        strip = Strip([marker, *self._cells(row.cells, background, plain)]).adjust_cell_length(width, background)
        return strip.apply_style(Style(reverse=cursor_style.reverse, underline=cursor_style.underline))

    def _cells(self, cells: Sequence[Line], background: Style, plain: Collection[Tone] = ()) -> list[Segment]:
        """Return the segments of a row. The tones in `plain` can't be read on `background`, and are left out."""
        segments: list[Segment] = []
        for position, (number, width) in enumerate(self._widths):
            cell = cells[number]
            if self.columns[number].grow:
                cell = (*cell, *self._joined(cells, width - width_of(cell)))
            cell = tuple(Span(one.text) if one.tone in plain else one for one in cell)
            if self.columns[number].align_right:
                cell = (Span(" " * max(0, width - width_of(cell))), *cell)
            segments += self.paint(cell, width, background)
            if position < len(self._widths) - 1:
                segments.append(Segment(" " * _GAP, background))
        return segments

    def _is_dropped(self, column: int) -> bool:
        return all(number != column for number, _ in self._widths)

    def _joined(self, cells: Sequence[Line], room: int) -> Line:
        """Return what follows the cell of the column with `grow`: the cells of dropped columns with `joins`."""
        joining = (n for n, column in enumerate(self.columns) if column.joins and self._is_dropped(n))
        text = " ".join(text_of(cells[number]) for number in joining)
        if not text or room < MIN_JOINED:
            return ()
        return (Span(" " if len(text) < room else " …"), Span(text if len(text) < room else text[2 - room :], "muted"))

    # -------------------------------------------------------------- moving

    def _move_cursor(self, index: int) -> None:
        self._cursor_row = max(0, min(index, self.row_count - 1))
        row = self._row_at(self._cursor_row)
        key = None if row is None else row.key
        if key != self.key:
            self.key = key
            self.post_message(self.CursorMoved(self, key))
        self._scroll_to_cursor()
        self.refresh_changed()

    def _scroll_to_cursor(self) -> None:
        height = self.scrollable_content_region.height - 1
        top = self.scroll_offset.y
        if self._cursor_row < top:
            self.scroll_to(y=self._cursor_row, animate=False, immediate=True)
        elif self._cursor_row >= top + height:
            self.scroll_to(y=self._cursor_row - height + 1, animate=False, immediate=True)

    def action_move(self, by: int) -> None:
        """Move `by` rows; if the selected row was removed, move to its former position instead."""
        if self.row_count:
            self._move_cursor(self._cursor_row + (by if self.cursor_on_row else 0))

    def action_page(self, by: int) -> None:
        """Move one screen up or down."""
        if self.row_count:
            self._move_cursor(self._cursor_row + by * max(1, self.scrollable_content_region.height - 2))

    def action_edge(self, by: int) -> None:
        """Move to the first or the last row."""
        if self.row_count:
            self._move_cursor(0 if by < 0 else self.row_count - 1)

    def action_choose(self) -> None:
        """Choose the row under the cursor."""
        if self.cursor_on_row:
            self.post_message(self.RowChosen(self, self.key))

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the clicked row; a click on the row under the cursor chooses it."""
        offset = event.get_content_offset(self)
        index = offset.y - 1 + self.scroll_offset.y if offset is not None and offset.y > 0 else -1
        row = self._row_at(index)
        if row is None:
            return
        if row.key == self.key:
            self.action_choose()
        else:
            self._move_cursor(index)

    def watch_has_focus(self, _value: bool) -> None:
        self.refresh()

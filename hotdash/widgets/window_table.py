"""A table with any number of rows: the node sends only the rows around the visible ones.

The cursor is on a key, as in every table. When it moves to a row that is not known yet, nothing is selected until the
row has arrived.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from textual.geometry import Size
from textual.message import Message

from .table import Column, Row, Table


class WindowTable(Table):
    """A table that has the content of only some rows: these rows are its window."""

    class WindowMoved(Message):
        """Rows that the dashboard does not know have become visible. The node has to be asked for them."""

    def __init__(self, columns: Sequence[Column], *, id: str | None = None, empty: str = "Nothing here.") -> None:
        super().__init__(columns, id=id, empty=empty)
        self._first = 0
        self._length = 0
        self._wanted = (0, 100)
        self._grown: list[int] = [0] * len(columns)
        self._awaits_row = False
        self._seeks = False
        self.follows = True
        """Whether the table scrolls with the row under the cursor when rows move."""

    @property
    def row_count(self) -> int:
        return self._length

    def _row_at(self, index: int) -> Row | None:
        at = index - self._first
        return self._rows[at] if 0 <= at < len(self._rows) else None

    # -------------------------------------------------------------- what the node is asked for

    def window(self) -> tuple[int, int]:
        """Return the number of the first row to ask for, and how many: three screens around the visible rows.

        The window stays the same while the visible rows are well inside it.
        """
        height = max(10, self.scrollable_content_region.height)
        top = int(self.scroll_offset.y)
        offset, limit = self._wanted
        margin = height // 3
        inside = (offset == 0 or offset <= top - margin) and top + height + margin <= offset + limit
        if not inside or limit > 4 * height:
            self._wanted = max(0, top - height), 3 * height
        return self._wanted

    def followed(self) -> tuple[Hashable | None, int]:
        """Return the key that the node's next page has to contain, and how many rows of the window precede it.

        This is the key that `select` seeks. Without one, it is the key under the cursor, or None if its row is not
        known.
        """
        if self._seeks:
            return self.key, self._wanted[1] // 3
        lead = self._cursor_row - self._first
        if (
            not self.follows
            or self.key is None
            or not 0 <= lead < max(len(self._rows), 1)
            or self._first != self._wanted[0]
        ):
            return None, 0
        return self.key, lead

    # -------------------------------------------------------------- content

    def show_window(self, length: int, first: int, rows: Sequence[Row], empty: str | None = None) -> None:
        """Replace the known rows: those from `first` on, of `length` rows in all. The cursor stays on its key."""
        if empty is not None:
            self._empty = self.empty_line(empty)
        known = tuple(rows)
        if known == self._rows and (length, first) == (self._length, self._first) and known:
            return
        shift = 0
        self._rows, self._first, self._length = known, first, length
        self._index = {row.key: first + number for number, row in enumerate(known)}
        self._measure()
        self.virtual_size = Size(self.scrollable_content_region.width, length + 1)
        if self._seeks and self.key in self._index:
            self._seeks, self._wanted = False, (first, self._wanted[1])
            self._move_cursor(self._index[self.key])
        elif self.key in self._index:
            shift = self._index[self.key] - self._cursor_row
            self._cursor_row += shift
            if shift and self.follows and self.scroll_offset.y:
                self.scroll_to(y=self.scroll_offset.y + shift, animate=False, immediate=True)
                self._wanted = max(0, self._wanted[0] + shift), self._wanted[1]
        elif self._awaits_row or self.key is None:
            self._cursor_row = min(self._cursor_row, max(0, length - 1))
            if (row := self._row_at(self._cursor_row)) is not None:
                self._awaits_row = False
                self.key = row.key
                self.post_message(self.CursorMoved(self, row.key))
        self.refresh_changed()

    def await_row(self, index: int | None = None) -> None:
        """Select whatever row is at `index`, or at the cursor, as soon as it arrives."""
        if index is not None:
            self._cursor_row = index
        self.key = None
        self._awaits_row = True

    def select(self, key: Hashable) -> None:
        """Put the cursor on this key. If its row is not known, the node is asked for the window around it."""
        self._seeks = key not in self._index
        super().select(key)
        if self._seeks:
            self.post_message(self.WindowMoved())

    def action_choose(self) -> None:
        """Choose the row under the cursor or, if the selected row was removed, what has replaced it."""
        if self.key is not None:
            self.post_message(self.RowChosen(self, self.key))

    def leave_hidden_row(self) -> None:
        """Do nothing: the rows that match are not known before the node has sent them."""

    @property
    def seeks(self) -> bool:
        """Whether the node has not yet sent the row of the selected key."""
        return self._seeks

    def stop_seeking(self) -> None:
        """Select no row, because the node has no row with the sought key."""
        self._seeks = False

    def on_resize(self) -> None:  # Textual also calls that of the base class
        """Ask for as many rows as the new height needs."""
        before = self._wanted
        if self.window() != before:
            self.post_message(self.WindowMoved())

    def watch_scroll_y(self, old: float, new: float) -> None:
        """Ask for other rows if the visible ones are at the edge of the window or outside of it."""
        super().watch_scroll_y(old, new)
        before = self._wanted
        if self.window() != before:
            self.post_message(self.WindowMoved())

    def _widest(self, number: int) -> int:
        """Return the width of the widest cell so far: a column doesn't shrink while the rows are scrolled."""
        self._grown[number] = max(self._grown[number], super()._widest(number))
        return self._grown[number]

"""The table of the processes: its columns, its order, its marks, and the query for its rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.message import Message

from hotdash.model.process_details import mailbox_words, status_word
from hotdash.model.process_tree import title_of
from hotdash.model.selection import ProcessKey
from hotdash.model.styled_text import Line, Span, span
from hotdash.model.units import age, count
from hotdash.model.view_state import ViewState
from hotdash.moves import move_keys
from hotdash.widgets.table import Column, Row
from hotdash.widgets.window_table import WindowTable
from node_runtime.protocol import messages as m

from .process_filter import FilterText

ORDERS: tuple[m.ProcessOrder, ...] = ("pid", "name", "mail", "rate", "busy", "messages", "restarts", "state", "module")
"""The orders between which the keys switch, in this sequence."""
PATTERN_ROWS: Final = 1000
"""The number of rows that are read for regular expressions, which the node doesn't evaluate."""
_DrawCell = Callable[[m.ProcessRow, float], Span]

_CELLS: dict[str, tuple[Column, _DrawCell, m.ProcessOrder | None]] = {
    "pid": (Column("pid", align_right=True), lambda row, now: span(f"<{row.pid}>", "muted"), "pid"),
    "name": (
        Column("name", min_width=14, max_width=40, grow=True), lambda row, now: span(title_of(row), "name"), "name"
    ),
    "arguments": (
        Column("arguments", max_width=30, drop_order=5, roomy_width=60, joins=True),
        lambda row, now: span(row.arguments),
        None,
    ),
    "kind": (Column("kind", drop_order=8), lambda row, now: span(row.kind, "muted"), None),
    "module": (Column("module", max_width=36, drop_order=7), lambda row, now: span(row.module, "muted"), "module"),
    "state": (Column("state", max_width=16, drop_order=4), lambda row, now: span(row.state_name or ""), "state"),
    "status": (Column("status", drop_order=3), lambda row, now: status_word(row), None),
    "mail": (Column("mail", align_right=True), lambda row, now: mailbox_words(row), "mail"),
    "rate": (Column("msg/s", min_width=6, align_right=True), lambda row, now: _rate(row.rate), "rate"),
    "busy": (Column("busy", min_width=5, align_right=True, drop_order=2), lambda row, now: _share(row.busy), "busy"),
    "messages": (
        Column("handled", align_right=True, drop_order=6), lambda row, now: span(count(row.messages)), "messages"
    ),
    "restarts": (
        Column("restarts", align_right=True, drop_order=1),
        lambda row, now: span(f"{row.restarts:,}" if row.restarts else "", "warn"), "restarts",
    ),
    "up": (
        Column("up", min_width=5, align_right=True, drop_order=9),
        lambda row, now: span(age(now - row.started), "muted"), None,
    ),
}  # fmt: skip
"""The columns by the name that the settings file uses: how a cell is drawn, and the order that sorts by it."""
COLUMN_NAMES = tuple(_CELLS)
COLUMN_TITLES: Final = {name: column.title for name, (column, _, _) in _CELLS.items()}


class ProcessListTable(WindowTable):
    """The list of processes. `order` and `reverse` say how it is sorted; `marked` are the marked processes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(move_keys("next_order"), "next_order(1)", id="next_order", show=False),
        Binding(move_keys("previous_order"), "next_order(-1)", id="previous_order", show=False),
        Binding(move_keys("reverse_order"), "reverse_order", id="reverse_order", show=False),
        Binding(move_keys("toggle_row"), "mark", id="toggle_row", show=False),
        Binding(move_keys("unmark_all"), "unmark_all", id="unmark_all", show=False),
        Binding(move_keys("follow"), "follow", id="follow", show=False),
    ]

    class OrderChanged(Message):
        """The operator has chosen another order, or has marked or unmarked processes."""

    def __init__(self, names: tuple[str, ...] = COLUMN_NAMES) -> None:
        self._names = names
        waiting = "Waiting for the node's processes."
        super().__init__(_columns(names, "pid", reverse=False), id="process_table", empty=waiting)
        self._shown_filter = ""
        self.order: m.ProcessOrder = "pid"
        self.reverse = False
        self.marked: frozenset[ProcessKey] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the shown columns."""
        return self._names

    def choose(self, names: tuple[str, ...]) -> None:
        """Show these columns."""
        self._names = names
        self._grown = [0] * len(names)
        self.columns = _columns(names, self.order, reverse=self.reverse)
        self._rows = ()  # the known rows have cells of the former columns
        self._measure()
        self.refresh()
        self.post_message(self.OrderChanged())

    def sort(self, order: m.ProcessOrder, *, reverse: bool) -> None:
        """Sort by `order` from now on. The title shows the new order at once; the rows follow when the node has sent
        them."""
        self.order, self.reverse = order, reverse
        self.columns = _columns(self._names, order, reverse=reverse)
        self._measure()
        self.refresh()
        self.post_message(self.OrderChanged())

    def query_for(self, wanted: FilterText) -> m.ProcessQuery:
        """Return the query for the rows around the visible ones; with regular expressions, for the first PATTERN_ROWS
        rows."""
        offset, limit = (0, PATTERN_ROWS) if wanted.patterns else self.window()
        key, lead = (None, 0) if wanted.patterns else self.followed()
        return m.ProcessQuery(
            filter=wanted.text,
            order=self.order,
            reverse=self.reverse,
            offset=offset,
            limit=limit,
            follow=key.pid if isinstance(key, ProcessKey) else None,
            lead=lead,
            details=("arguments",) if "arguments" in self._names else (),
        )

    def show_processes(self, view_state: ViewState, wanted: FilterText) -> None:
        """Draw the known rows; with regular expressions, only the matching ones.

        If a new filter hides the row under the cursor, the cursor moves to the first row that the filter keeps.
        """
        window = view_state.node.processes
        if window is None:
            return
        boot_id, now = window.page.boot_id, view_state.node_now
        found = [row for row in window.ordered if wanted.accepts(row)]
        rows = [self._table_row(ProcessKey(boot_id, row.pid), row, now) for row in found]
        empty = "Nothing matches the filter." if wanted.text or wanted.patterns else None
        if window.query.follow is not None and window.page.index is None:
            self.stop_seeking()
        if wanted.patterns and self.key not in {row.key for row in rows}:
            self.await_row(0)
        elif window.query.filter != self._shown_filter:
            self._shown_filter = window.query.filter
            if self._shown_filter and window.page.index is None and self.key not in {row.key for row in rows}:
                self.await_row(0)
        length, first = (len(rows), 0) if wanted.patterns else (window.page.matched, window.page.offset)
        self.show_window(length, first, rows, empty)

    def _table_row(self, key: ProcessKey, row: m.ProcessRow, now: float) -> Row:
        cells: list[Line] = [(_CELLS[name][1](row, now),) for name in self._names]
        if key in self.marked:
            cells[0] = (Span("✓", "ok"), *cells[0])
        return Row(key, tuple(cells))

    def action_next_order(self, by: int) -> None:
        """Sort by the next (1) or the previous (-1) column by which the node can sort."""
        at = ORDERS.index(self.order) if self.order in ORDERS else 0
        self.sort(ORDERS[(at + by) % len(ORDERS)], reverse=False)

    def action_reverse_order(self) -> None:
        """Reverse the order."""
        self.sort(self.order, reverse=not self.reverse)

    def action_follow(self) -> None:
        """Switch between two ways to scroll when the rows move: with the selected process, or not at all."""
        self.follows = not self.follows
        self.post_message(self.OrderChanged())

    def action_mark(self) -> None:
        """Mark the process under the cursor, or unmark it, and go on to the next row."""
        if isinstance(self.key, ProcessKey):
            self.marked ^= {self.key}
            self.post_message(self.OrderChanged())
            self.action_move(1)

    def action_unmark_all(self) -> None:
        """Unmark all processes."""
        self.marked = frozenset()
        self.post_message(self.OrderChanged())


def _columns(names: tuple[str, ...], order: m.ProcessOrder, *, reverse: bool) -> tuple[Column, ...]:
    found = []
    for name in names:
        column, _, sorts = _CELLS[name]
        arrow = " ↑" if reverse else " ↓"
        title = f"{column.title}{arrow}" if sorts == order else column.title
        found.append(replace(column, title=title))
    return tuple(found)


def _rate(rate: float | None) -> Span:
    return Span("") if not rate else span(f"{rate:.1f}" if rate < 100 else count(rate), "strong")


def _share(busy: float | None) -> Span:
    return Span("") if not busy or busy < 0.0005 else span(f"{busy:.1%}", "warn" if busy >= 0.5 else "plain")

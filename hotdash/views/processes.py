"""View 2: all processes in a table, sorted and filtered by the node."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, get_args

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message

from hotdash.config.memory import ViewMemory
from hotdash.model.process_details import mailbox_words, status_word
from hotdash.model.process_tree import title_of
from hotdash.model.selection import ProcessKey
from hotdash.model.styled_text import Line, Span, line, span
from hotdash.model.units import age, count, plural
from hotdash.model.view_state import DataNeeds, Selection, ViewState
from hotdash.moves import move_keys
from hotdash.widgets.bars import StaticLines
from hotdash.widgets.table import Column, Row
from hotdash.widgets.window_table import WindowTable
from node_runtime.protocol import messages as m

from .base import View
from .process_filter import FilterText
from .process_panel import ProcessPanel

ORDERS: tuple[m.ProcessOrder, ...] = ("pid", "name", "mail", "rate", "busy", "messages", "restarts", "state", "module")
"""The orders that the keys go through."""
_DrawCell = Callable[[m.ProcessRow, float], Span]

_CELLS: dict[str, tuple[Column, _DrawCell, m.ProcessOrder | None]] = {
    "pid": (Column("pid", align_right=True), lambda row, now: span(f"<{row.pid}>", "muted"), "pid"),
    "name": (
        Column("name", min_width=14, max_width=40, grow=True), lambda row, now: span(title_of(row), "name"), "name"
    ),
    "arguments": (Column("arguments", max_width=30, drop_order=5), lambda row, now: span(row.arguments), None),
    "kind": (Column("kind", drop_order=8), lambda row, now: span(row.kind, "muted"), None),
    "module": (Column("module", max_width=36, drop_order=7), lambda row, now: span(row.module, "muted"), "module"),
    "state": (Column("state", max_width=16, drop_order=3), lambda row, now: span(row.state_name or ""), "state"),
    "status": (Column("status", drop_order=2), lambda row, now: status_word(row), None),
    "mail": (Column("mail", align_right=True), lambda row, now: mailbox_words(row), "mail"),
    "rate": (Column("msg/s", min_width=6, align_right=True), lambda row, now: _rate(row.rate), "rate"),
    "busy": (Column("busy", min_width=5, align_right=True, drop_order=1), lambda row, now: _share(row.busy), "busy"),
    "messages": (
        Column("handled", align_right=True, drop_order=6), lambda row, now: span(count(row.messages)), "messages"
    ),
    "restarts": (
        Column("restarts", align_right=True, drop_order=4),
        lambda row, now: span(f"{row.restarts:,}" if row.restarts else "", "warn"), "restarts",
    ),
    "up": (
        Column("up", min_width=5, align_right=True, drop_order=9),
        lambda row, now: span(age(now - row.started), "muted"), None,
    ),
}  # fmt: skip
"""The columns by the name that the settings file uses: how a cell is drawn, and the order that sorts by it."""
COLUMN_NAMES = tuple(_CELLS)


class ProcessListTable(WindowTable):
    """The list of processes. `order` and `reverse` say how it is sorted; `marked` are the marked processes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(move_keys("next_order"), "next_order(1)", id="next_order", show=False),
        Binding(move_keys("previous_order"), "next_order(-1)", id="previous_order", show=False),
        Binding(move_keys("reverse_order"), "reverse_order", id="reverse_order", show=False),
        Binding(move_keys("toggle_row"), "mark", id="toggle_row", show=False),
        Binding(move_keys("unmark_all"), "unmark_all", id="unmark_all", show=False),
    ]

    class OrderChanged(Message):
        """The processes are to be sorted in another way, or other ones are marked."""

    def __init__(self, names: tuple[str, ...] = COLUMN_NAMES) -> None:
        self._names = names
        super().__init__(_columns(names, "pid", reverse=False), id="process_table", empty="No processes yet.")
        self.order: m.ProcessOrder = "pid"
        self.reverse = False
        self.marked: frozenset[ProcessKey] = frozenset()

    def choose(self, names: tuple[str, ...]) -> None:
        """Show these columns."""
        self._names = names
        self._grown = [0] * len(names)
        self.columns = _columns(names, self.order, reverse=self.reverse)

    def sort(self, order: m.ProcessOrder, *, reverse: bool) -> None:
        """Sort by `order` from now on; the new order is shown at once, its rows follow."""
        self.order, self.reverse = order, reverse
        self.columns = _columns(self._names, order, reverse=reverse)
        self._measure()
        self.refresh()
        self.post_message(self.OrderChanged())

    def query_for(self, filter_text: str) -> m.ProcessQuery:
        """Return the query for the rows around the visible ones."""
        offset, limit = self.window()
        key, lead = self.followed()
        return m.ProcessQuery(
            filter=filter_text,
            order=self.order,
            reverse=self.reverse,
            offset=offset,
            limit=limit,
            follow=key.pid if isinstance(key, ProcessKey) else None,
            lead=lead,
            details=("arguments",) if "arguments" in self._names else (),
        )

    def show_processes(self, view_state: ViewState, *, filtered: bool) -> None:
        """Draw the known rows."""
        window = view_state.node.processes
        if window is None:
            return
        boot_id, now = window.page.boot_id, view_state.node_now
        rows = [self._table_row(ProcessKey(boot_id, row.pid), row, now) for row in window.ordered]
        empty = "Nothing matches the filter." if filtered else None
        if window.query.follow is not None and window.page.index is None:
            self.stop_seeking()
        self.show_window(window.page.matched, window.page.offset, rows, empty)

    def _table_row(self, key: ProcessKey, row: m.ProcessRow, now: float) -> Row:
        cells: list[Line] = [(_CELLS[name][1](row, now),) for name in self._names]
        if key in self.marked:
            cells[0] = (Span("✓", "ok"), *cells[0])
        return Row(key, tuple(cells))

    def action_next_order(self, by: int) -> None:
        """Sort by the next or the previous column that has an order."""
        at = ORDERS.index(self.order) if self.order in ORDERS else 0
        self.sort(ORDERS[(at + by) % len(ORDERS)], reverse=False)

    def action_reverse_order(self) -> None:
        """Sort the other way round."""
        self.sort(self.order, reverse=not self.reverse)

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
        found.append(
            Column(title, column.min_width, column.max_width, column.drop_order, column.align_right, column.grow)
        )
    return tuple(found)


def _rate(rate: float | None) -> Span:
    return Span("") if not rate else span(f"{rate:.1f}" if rate < 100 else count(rate), "strong")


def _share(busy: float | None) -> Span:
    return Span("") if not busy or busy < 0.0005 else span(f"{busy:.1%}", "warn" if busy >= 0.5 else "plain")


class Processes(View):
    """The table on the left, the process under the cursor on the right."""

    DEFAULT_CSS = """
    Processes {
        & > Horizontal { height: 1fr; }
        & #listed { width: 14fr; }
        & #listed > StaticLines { height: 1; padding: 0 1; }
        & #listed > ProcessListTable { height: 1fr; }
    }
    """

    def __init__(self) -> None:
        super().__init__(id="processes")
        self.table = ProcessListTable()
        self.panel = ProcessPanel("selected")
        self._summary = StaticLines()
        self._filter = FilterText()
        self._view_state: ViewState | None = None

    def compose(self) -> ComposeResult:
        with Horizontal():
            with Vertical(id="listed"):
                yield self._summary
                yield self.table
            yield self.panel

    def show(self, view_state: ViewState) -> None:
        self._view_state = view_state
        self._filter.take(self.filtered)
        self.table.show_processes(view_state, filtered=bool(self._filter.text))
        self._summary.show([self._summary_line(view_state)])
        self._show_process()

    def _summary_line(self, view_state: ViewState) -> Line:
        if self._filter.mistake:
            return line(span(self._filter.mistake, "warn"))
        window = view_state.node.processes
        if window is None:
            return line(span("Reading the processes …", "muted"))
        page = window.page
        parts = [span(plural(page.total, "process", "processes").replace(str(page.total), f"{page.total:,}"), "strong")]
        if window.query.filter:
            parts.append(span(f"  {page.matched:,} match {window.query.filter}", "name"))
        parts.append(span(f"  by {window.query.order}{', reversed' if window.query.reverse else ''}", "muted"))
        if (window.query.order, window.query.reverse) != (self.table.order, self.table.reverse):
            parts.append(span(" …", "warn"))
        if page.age >= 2:
            parts.append(span(f"  sorted {age(page.age)} ago", "muted"))
        if self.table.marked:
            parts.append(span(f"  {len(self.table.marked):,} marked", "ok"))
        return tuple(parts)

    def _show_process(self) -> None:
        key = self.table.key
        if self._view_state is None:
            return
        if not isinstance(key, ProcessKey):
            self.panel.show_lines([line(span("Select a process to see its live state.", "muted"))])
            return
        window = self._view_state.node.processes
        known = window is not None and window.page.boot_id == key.boot_id
        row = window.rows.get(key.pid) if window is not None and known else None
        self.panel.show_process(key, row, self._view_state)

    def on_process_list_table_order_changed(self) -> None:
        """Ask the node for the new order, and draw the marks."""
        if self._view_state is not None:
            self.show(self._view_state)
        self.table.post_message(self.table.WindowMoved())

    def on_table_cursor_moved(self) -> None:
        """Show the process under the cursor at once; its state follows when the node has sent it."""
        self._show_process()

    async def on_table_row_chosen(self) -> None:
        """Open the screen of the process."""
        await self.run_action("app.act('open_process')")

    def selected(self) -> Selection:
        key = self.table.key
        process = key if isinstance(key, ProcessKey) and self.table.cursor_on_row else None
        return Selection(process=process, marked=tuple(sorted(self.table.marked, key=lambda one: one.pid)))

    def select(self, process: ProcessKey) -> None:
        """Put the cursor on a process, and remove the filter, which may hide it."""
        self.filtered = ""
        self.table.select(process)

    def unmark(self) -> None:
        """Unmark all processes, because an action on them has been requested."""
        self.table.action_unmark_all()

    def memory(self) -> ViewMemory:
        return {"order": (self.table.order, *(("reverse",) if self.table.reverse else ()))}

    def restore(self, memory: ViewMemory) -> None:
        names = tuple(name for name in memory.get("columns", ()) if name in _CELLS)
        if names:
            self.table.choose(names)
        order = memory.get("order", ())
        if order and order[0] in get_args(m.ProcessOrder):
            found: tuple[m.ProcessOrder, ...] = get_args(m.ProcessOrder)
            self.table.sort(found[found.index(order[0])], reverse="reverse" in order)

    def needs(self) -> DataNeeds:
        self._filter.take(self.filtered)
        key = self.table.key
        process = key if isinstance(key, ProcessKey) else None
        return DataNeeds(snapshots=False, process=process, processes=self.table.query_for(self._filter.text))

"""View 2: all processes in a table, sorted and filtered by the node."""

from __future__ import annotations

from typing import get_args

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from hotdash.config.memory import ViewMemory
from hotdash.keymap import move_key_of
from hotdash.model.selection import ProcessKey
from hotdash.model.styled_text import Line, Span, line, span
from hotdash.model.units import age, plural
from hotdash.model.view_state import DataNeeds, Selection, ViewState
from hotdash.widgets.bars import StaticLines
from node_runtime.protocol import messages as m

from .base import View
from .process_filter import FILTER_HINT, FilterText
from .process_list_table import COLUMN_NAMES, PATTERN_ROWS, ProcessListTable
from .process_panel import ProcessPanel


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

    filter_hint = FILTER_HINT

    def __init__(self) -> None:
        super().__init__(id="processes")
        self.table = ProcessListTable()
        self.panel = ProcessPanel("selected")
        self._summary = StaticLines()
        self._filter = FilterText(takes_patterns=True)
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
        self.table.show_processes(view_state, self._filter)
        self._show_process()
        self._summary.show([self._summary_line(view_state)])

    def _summary_line(self, view_state: ViewState) -> Line:
        if self._filter.mistake:
            return line(span(self._filter.mistake, "warn"))
        if self.panel.ended and not self.panel.display:  # without the panel, nothing else says where the cursor is
            return line(*(part for one in self.panel.ended for part in (*one, Span(" "))))
        window = view_state.node.processes
        if window is None:
            return line(span("Reading the processes …", "muted"))
        page = window.page
        parts = [span(plural(page.total, "process", "processes").replace(str(page.total), f"{page.total:,}"), "strong")]
        if window.query.filter:
            parts.append(span(f"  {page.matched:,} match {window.query.filter}", "name"))
        if self._filter.patterns:
            read = f" of the first {PATTERN_ROWS:,}" if page.matched > PATTERN_ROWS else ""
            parts.append(span(f"  {self.table.row_count:,}{read} match {' '.join(self._filter.patterns)}", "name"))
        parts.append(span(f"  by {window.query.order}{', reversed' if window.query.reverse else ''}", "muted"))
        if (window.query.order, window.query.reverse) != (self.table.order, self.table.reverse):
            parts.append(span(" …", "warn"))
        if page.age >= 2:
            parts.append(span(f"  sorted {age(page.age)} ago", "muted"))
        if not self.table.follows:
            parts.append(span("  not following", "warn"))
        if self.table.marked:
            parts.append(span(f"  {len(self.table.marked):,} marked", "ok"))
        if len(parts) == 2:
            keymap = view_state.dashboard.keymap
            sort, reverse = move_key_of("next_order", keymap), move_key_of("reverse_order", keymap)
            mark = move_key_of("toggle_row", keymap)
            parts.append(span(f"  {sort} sort by another column  {reverse} reverse  {mark} mark", "muted"))
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
        if row is None and self.table.seeks:
            self.panel.show_lines([line(span(f"<{key.pid}> …", "muted"))])
        else:
            self.panel.show_process(key, row, self._view_state)

    def on_process_list_table_order_changed(self) -> None:
        """Ask the node for the rows in the new order, and draw the marks."""
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
        process = key if isinstance(key, ProcessKey) and (self.table.cursor_on_row or self.table.seeks) else None
        successor = self.panel.successor if process is None else None
        marked = tuple(sorted(self.table.marked, key=lambda one: one.pid))
        return Selection(process=process, successor=successor, marked=marked)

    def select(self, process: ProcessKey) -> None:
        """Put the cursor on a process, and remove the filter, which may hide it."""
        self.filtered = ""
        self.table.select(process)

    def unmark(self) -> None:
        """Unmark all processes, because an action on them has been requested."""
        self.table.action_unmark_all()

    def memory(self) -> ViewMemory:
        order = (self.table.order, *(("reverse",) if self.table.reverse else ()))
        return {"order": order, "columns": self.table.names if self.table.names != COLUMN_NAMES else ()}

    def restore(self, memory: ViewMemory) -> None:
        names = tuple(name for name in memory.get("columns", ()) if name in COLUMN_NAMES)
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
        return DataNeeds(snapshots=False, process=process, processes=self.table.query_for(self._filter))

"""The supervision tree: a table with an indented first column, whose rows can be opened and closed."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from hotdash.model.process_details import kind_words, mailbox_words, status_mark
from hotdash.model.process_tree import TreeRow, tree_rows
from hotdash.model.selection import FoldKey, ProcessKey
from hotdash.model.styled_text import Line, Span, span
from hotdash.model.units import age
from hotdash.model.view_state import ViewState
from hotdash.moves import move_keys
from hotdash.widgets.table import Column, Row
from hotdash.widgets.window_table import WindowTable
from node_runtime.protocol import messages as m

_COLUMNS = (
    Column("supervision tree", min_width=24, max_width=60, grow=True),
    Column("kind, state", max_width=14, drop_order=1, roomy_width=24),
    Column("arguments", max_width=24, drop_order=6, roomy_width=40, joins=True),
    Column("mail", drop_order=3, align_right=True),
    Column("restarts", drop_order=5, align_right=True),
    Column("pid", drop_order=2, align_right=True),
    Column("up", min_width=5, drop_order=4, align_right=True),
)
_WORKERS = ("gen_server", "gen_statem")


class ProcessTree(WindowTable):
    """The tree of a node. `collapsed` has the paths of closed rows, `unfolded` the paths of rows that show all their
    children.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(move_keys("toggle_row"), "open_or_close", id="toggle_row", show=False),
        Binding(move_keys("close_row"), "close", id="close_row", show=False),
        Binding(move_keys("open_row"), "open", id="open_row", show=False),
        Binding(move_keys("open_all"), "open_all", id="open_all", show=False),
    ]

    class FoldingChanged(Message):
        """A row was opened or closed."""

    def __init__(self) -> None:
        super().__init__(_COLUMNS, id="tree", empty="The node has not reported any processes yet.")
        self.rows_by_key: dict[Hashable, TreeRow] = {}
        self.collapsed: frozenset[str] = frozenset()
        self.unfolded: frozenset[str] = frozenset()
        self._cursor_placed = False
        self._filter = ""
        self._hits_awaited = False

    def query_for(self, filter_text: str) -> m.TreeQuery:
        """Return the query for the rows around the visible ones. A filter also opens branches that the user closed."""
        if filter_text != self._filter:
            self._filter = filter_text
            self._hits_awaited = True
        offset, limit = self.window()
        key, lead = self.followed()
        return m.TreeQuery(
            filter=filter_text,
            closed=() if filter_text else tuple(sorted(self.collapsed)),
            open=tuple(sorted(self.unfolded)),
            offset=offset,
            limit=limit,
            follow=key.pid if isinstance(key, ProcessKey) else None,
            lead=lead,
            details=("arguments",),
        )

    def show_tree(self, view_state: ViewState) -> None:
        """Draw the known rows."""
        window = view_state.node.tree
        if window is None:
            return
        closed = frozenset() if window.query.filter else self.collapsed
        rows = tree_rows(window, closed)
        self.rows_by_key = {row.key: row for row in rows}
        if self._hits_awaited and window.query.filter == self._filter:
            self._hits_awaited = False
            self._select_hit(rows)
        empty = "Nothing matches the filter." if window.query.filter else None
        shown = [Row(row.key, _cells(row, view_state.node_now)) for row in rows]
        self._cursor_placed = self._cursor_placed or self.key is not None
        if window.query.follow is not None and window.page.index is None:
            self.stop_seeking()
        self.show_window(window.page.length, window.page.offset, shown, empty)
        if rows and not self._cursor_placed:
            self._place_cursor(rows)

    def _select_hit(self, rows: list[TreeRow]) -> None:
        """If the filter hides the selected process, select the first matching process."""
        hit = next((row for row in rows if row.line.matched), None)
        if hit is not None and self.key not in self.rows_by_key:
            self.key = hit.key

    def _place_cursor(self, rows: list[TreeRow]) -> None:
        """Select, once, the first worker of the last started application, probably the release's own."""
        self._cursor_placed = True
        last = max((number for number, row in enumerate(rows) if row.line.application is not None), default=0)
        found = (row for row in (*rows[last:], *rows) if row.process is not None and row.process.kind in _WORKERS)
        first = next(found, None)
        if first is not None:
            self.select(first.key)

    # -------------------------------------------------------------- folding

    def _row(self) -> TreeRow | None:
        return self.rows_by_key.get(self.key)

    def action_open_or_close(self) -> None:
        """Open the row, or close it."""
        row = self._row()
        if row is None:
            return
        if isinstance(row.key, FoldKey):
            self.unfolded |= {row.key.path}
            self.await_row()  # the first of the siblings that appear in place of this row
        elif row.line.below:
            self.collapsed ^= {row.line.path}
        self.post_message(self.FoldingChanged())

    def action_close(self) -> None:
        """Close the row. If no rows below it are shown, close its parent."""
        row = self._row()
        if row is None:
            return
        path = row.line.path
        if not row.line.below or path in self.collapsed:
            path = path if isinstance(row.key, FoldKey) else path.rpartition("/")[0]
            parent = next((one for one in self.rows_by_key.values() if one.line.path == path and one.line.below), None)
            if parent is None:
                return
            self.select(parent.key)
            if not isinstance(row.key, FoldKey) and path not in self.unfolded:
                return
        self.collapsed |= {path} if path not in self.unfolded else frozenset()
        self.unfolded -= {path}
        self.post_message(self.FoldingChanged())

    def action_open(self) -> None:
        """Show the rows below."""
        row = self._row()
        if row is not None and isinstance(row.key, FoldKey):
            self.action_open_or_close()
        elif row is not None:
            self.collapsed -= {row.line.path}
            self.post_message(self.FoldingChanged())

    def action_open_all(self) -> None:
        """Open every row; long lists of siblings stay folded."""
        self.collapsed = frozenset()
        self.post_message(self.FoldingChanged())


def _cells(row: TreeRow, node_now: float) -> tuple[Line, ...]:
    fold = ("▾ " if row.expanded else "▸ ") if row.line.below else ""
    lead = (Span(row.guides, "muted"), Span(fold, "muted"))
    process, nothing = row.process, ((), (), (), (), ())
    if process is not None:
        return (
            (*lead, status_mark(process), Span(" "), span(row.title, "strong" if row.line.matched else "name")),
            (kind_words(process),),
            (span(process.arguments, "muted"),),
            (mailbox_words(process),),
            (span(f"{process.restarts:,}" if process.restarts else "", "warn"),),
            (span(f"<{process.pid}>", "muted"),),
            (span(age(node_now - process.started), "muted"),),
        )
    if row.line.pid is not None:
        return ((*lead, Span("✖ ", "bad"), span(row.title, "muted")), (span("has ended", "muted"),), *nothing)
    if row.line.child is not None:
        return ((*lead, Span("○ ", "warn"), span(row.title, "name")), (span(row.line.child.status, "warn"),), *nothing)
    if row.line.application is not None:
        vsn = span(f" {row.line.application.vsn}", "muted")
        return ((*lead, span(row.title, "strong"), vsn), (), *nothing)
    return ((*lead, span(row.title, "muted")), (), *nothing)

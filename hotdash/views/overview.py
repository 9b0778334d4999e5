"""View 1: the supervision tree, and the live state of the selected process."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message

from hotdash.model.process_details import (
    application_lines,
    kind_words,
    mailbox_words,
    missing_child_lines,
    process_lines,
    status_mark,
)
from hotdash.model.process_tree import TreeNode, TreeRow, build_tree, filter_tree, flatten, walk
from hotdash.model.selection import FoldKey, Key, ProcessKey
from hotdash.model.styled_text import Line, Span, line, span
from hotdash.model.term_diff import diff
from hotdash.model.term_lines import term_lines
from hotdash.model.units import age
from hotdash.model.view_state import DataNeeds, Selection, ViewState
from hotdash.widgets.bars import StaticLines
from hotdash.widgets.table import Column, Row, Table
from hotdash.widgets.text_lines import ScrollingLines

from .base import View

_COLUMNS = (
    Column("supervision tree", min_width=24, max_width=60, grow=True),
    Column("kind, state", max_width=14, drop_order=1),
    Column("mail", drop_order=3, align_right=True),
    Column("pid", drop_order=2, align_right=True),
    Column("up", min_width=5, drop_order=4, align_right=True),
)


class ProcessTree(Table):
    """The supervision tree: a table with an indented first column, whose rows can be opened and closed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "open_or_close", show=False),
        Binding("left,h,minus", "close", show=False),
        Binding("right,l,plus", "open", show=False),
        Binding("asterisk", "open_all", show=False),
    ]

    class FoldingChanged(Message):
        """A row was opened or closed."""

    def __init__(self) -> None:
        super().__init__(_COLUMNS, id="tree", empty="The node has not reported any processes yet.")
        self._tree_rows: dict[Hashable, TreeRow] = {}
        self.collapsed: frozenset[str] = frozenset()
        self.unfolded: frozenset[str] = frozenset()

    def show_tree(self, rows: list[TreeRow], view_state: ViewState) -> None:
        """Draw these rows."""
        self._tree_rows = {row.node.key: row for row in rows}
        empty = "Nothing matches the filter." if view_state.node.snapshot is not None else None
        self.show([Row(row.node.key, _cells(row, view_state.node_now)) for row in rows], empty)

    def _path(self) -> str | None:
        row = self._tree_rows.get(self.key)
        return row.node.path if row is not None else None

    def action_open_or_close(self) -> None:
        """Open the row, or close it."""
        path = self._path()
        if isinstance(self.key, FoldKey):
            self.unfolded |= {self.key.path}
        elif path is not None:
            self.collapsed ^= {path}
        self.post_message(self.FoldingChanged())

    def action_close(self) -> None:
        """Hide the rows below."""
        if (path := self._path()) is not None:
            self.collapsed |= {path}
            self.unfolded -= {path}
            self.post_message(self.FoldingChanged())

    def action_open(self) -> None:
        """Show the rows below."""
        if (path := self._path()) is not None:
            self.collapsed -= {path}
            self.post_message(self.FoldingChanged())

    def action_open_all(self) -> None:
        """Open every row; long lists of siblings stay folded."""
        self.collapsed = frozenset()
        self.post_message(self.FoldingChanged())


def _cells(row: TreeRow, node_now: float) -> tuple[Line, ...]:
    node = row.node
    fold = ("▾ " if row.expanded else "▸ ") if node.children else ""
    lead = (Span(row.guides, "muted"), Span(fold, "muted"))
    process = node.process
    if process is not None:
        return (
            (*lead, status_mark(process), Span(" "), span(node.title, "strong" if node.matched else "name")),
            (kind_words(process),),
            (mailbox_words(process),),
            (span(f"<{process.pid}>", "muted"),),
            (span(age(node_now - process.started), "muted"),),
        )
    nothing: tuple[Line, ...] = ((), (), ())
    if node.child is not None:
        return ((*lead, Span("○ ", "warn"), span(node.title, "name")), (span(node.child.status, "warn"),), *nothing)
    if node.application is not None:
        return ((*lead, span(node.title, "strong"), span(f" {node.application.vsn}", "muted")), (), *nothing)
    return ((*lead, span(node.title, "muted")), (), *nothing)


class Overview(View):
    """The tree on the left, the selected process on the right."""

    DEFAULT_CSS = """
    Overview {
        & > Horizontal { height: 1fr; }
        & ProcessTree { width: 9fr; }
        & #process { width: 8fr; border-left: vkey $foreground 20%; }
        & #process ScrollingLines { height: 1fr; padding: 1 1 0 1; }
    }
    .-low Overview #process ScrollingLines { padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__(id="overview")
        self.processes = ProcessTree()  # stored, because a query fails before mounting and after removal
        self._view_state: ViewState | None = None
        self._roots: tuple[TreeNode, ...] = ()
        self._cursor_placed = False
        self._last_shown: TreeNode | None = None

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield self.processes
            with Vertical(id="process"):
                yield StaticLines()
                yield ScrollingLines(id="state")

    def show(self, view_state: ViewState) -> None:
        before = self._view_state.node.snapshot if self._view_state is not None else None
        self._view_state = view_state
        if view_state.node.snapshot is not None and view_state.node.snapshot is not before:
            self._roots = build_tree(view_state.node.snapshot)
        self._show_tree()
        self._show_process()

    def _show_tree(self) -> None:
        assert self._view_state is not None
        tree = self.processes
        if self.filtered:
            rows = flatten(filter_tree(self._roots, self.filtered), unfolded=tree.unfolded)
        else:
            rows = flatten(self._roots, tree.collapsed, tree.unfolded)
        tree.show_tree(rows, self._view_state)
        if rows and not self._cursor_placed:
            self._place_cursor(tree)

    def _place_cursor(self, tree: ProcessTree) -> None:
        """Select, once, the first worker, searching from the application that was started last.

        That application is usually the release's own, so its worker is probably of most interest.
        """
        self._cursor_placed = True
        newest_first = reversed(self._roots)
        workers = (node for node in walk(list(newest_first)) if node.process and node.process.kind in _WORKERS)
        first = next(workers, None)
        if first is not None:
            tree.select(first.key)

    def _show_process(self) -> None:
        assert self._view_state is not None
        facts, state = self._detail_lines(self._view_state)
        self.query_one(StaticLines).show(facts)
        self.query_one("#state", ScrollingLines).show(state)

    def _detail_lines(self, view_state: ViewState) -> tuple[list[Line], list[Line]]:
        node = next((one for one in walk(self._roots) if one.key == self.processes.key), None)
        if node is None:
            return self._unselected_lines(view_state)
        if node.child is not None:
            return missing_child_lines(node.child), []
        if node.application is not None:
            return application_lines(node.application, sum(1 for one in walk(node.children) if one.process)), []
        if node.process is None:
            return [line(span(node.title, "muted"))], []
        self._last_shown = node
        return process_lines(node.process, view_state.node_now), self._state_lines(view_state, node.key)

    def _unselected_lines(self, view_state: ViewState) -> tuple[list[Line], list[Line]]:
        key = self.processes.key
        if not isinstance(key, ProcessKey):
            return [line(span("Select a process to see its live state.", "muted"))], []
        name = (
            self._last_shown.title if self._last_shown is not None and self._last_shown.key == key else "this process"
        )
        snapshot = view_state.node.snapshot
        earlier = snapshot is not None and snapshot.info.boot_id != key.boot_id
        how = "ended with the node's earlier boot" if earlier else "has ended"
        facts = [line(span(f"✖ {name} <{key.pid}> {how}.", "bad"))]
        after = [node for node in walk(self._roots) if node.process is not None and node.title == name]
        if len(after) == 1 and after[0].process is not None:
            facts.append(line(span("Its successor is ", "muted"), span(f"<{after[0].process.pid}>", "name"), "."))
        return facts, self._last_state_lines(view_state, key)

    def _last_state_lines(self, view_state: ViewState, key: ProcessKey) -> list[Line]:
        sample = view_state.node.sample
        if sample is None or sample.key != key or sample.view is None:
            return []
        return [line(span("its last state", "muted")), *term_lines(sample.view.state)]

    def _state_lines(self, view_state: ViewState, key: Key) -> list[Line]:
        sample = view_state.node.sample
        if sample is None or sample.key != key:
            return [line(span("state …", "muted"))]
        if sample.refused:
            return [line(span(sample.refused, "warn"))]
        view = sample.view
        if view is None:
            return []
        changes = diff(sample.before.state, view.state) if sample.before is not None else ()
        moved = frozenset(change.path for change in changes)
        lines = [line(span("state", "muted")), *term_lines(view.state, moved)]
        if view.blocked:
            lines.insert(0, line(span(view.blocked, "warn")))
        if view.stack:
            lines += [(), line(span("stack", "muted")), *(line(span(f"  {frame}")) for frame in view.stack)]
        return lines

    def on_process_tree_folding_changed(self) -> None:
        """Redraw the tree."""
        if self._view_state is not None:
            self._show_tree()

    def on_table_cursor_moved(self) -> None:
        """Show the process under the cursor at once; its state follows when the node has sent it."""
        if self._view_state is not None:
            self._show_process()

    def on_table_row_chosen(self) -> None:
        """Focus the state of a process, or open or close any other row."""
        if isinstance(self.processes.key, ProcessKey):
            self.query_one("#state", ScrollingLines).focus()
        else:
            self.processes.action_open_or_close()

    def selected(self) -> Selection:
        key = self.processes.key
        return Selection(process=key) if isinstance(key, ProcessKey) and self.processes.cursor_on_row else Selection()

    def needs(self) -> DataNeeds:
        return DataNeeds(snapshots=True, process=self.selected().process)


_WORKERS = ("gen_server", "gen_statem")

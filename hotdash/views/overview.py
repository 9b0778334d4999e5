"""View 1: the supervision tree, and the live state of the selected process."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal

from hotdash.config.memory import ViewMemory
from hotdash.model.process_details import application_lines, missing_child_lines
from hotdash.model.selection import ProcessKey
from hotdash.model.styled_text import line, span
from hotdash.model.view_state import DataNeeds, Selection, ViewState

from .base import View
from .process_filter import FILTER_HINT, FilterText
from .process_panel import ProcessPanel
from .process_tree import ProcessTree
from .trouble_panel import TroublePanel


class Overview(View):
    """The tree on the left, the selected process on the right."""

    DEFAULT_CSS = """
    Overview {
        & > Horizontal { height: 1fr; }
        & ProcessTree { width: 9fr; }
    }
    """

    filter_hint = FILTER_HINT

    def __init__(self) -> None:
        super().__init__(id="overview")
        self.processes = ProcessTree()  # stored, because a query fails before mounting and after removal
        self.panel = ProcessPanel()
        self._filter = FilterText()
        self._view_state: ViewState | None = None
        self._wanted_child: tuple[ProcessKey, str] | None = None

    def compose(self) -> ComposeResult:
        yield TroublePanel()
        with Horizontal():
            yield self.processes
            yield self.panel

    def show(self, view_state: ViewState) -> None:
        self._view_state = view_state
        self.query_one(TroublePanel).draw(view_state)
        self._filter.take(self.filtered)
        self.processes.show_tree(view_state)
        self._select_wanted_child()
        self._show_process()

    def _show_process(self) -> None:
        assert self._view_state is not None
        key = self.processes.key
        row = self.processes.rows_by_key.get(key)
        if self._filter.mistake:
            self.panel.show_lines([line(span(self._filter.mistake, "warn"))])
        elif isinstance(key, ProcessKey) and row is None and self.processes.seeks:
            self.panel.show_lines([line(span(f"<{key.pid}> …", "muted"))])
        elif isinstance(key, ProcessKey):
            self.panel.show_process(key, None if row is None else row.process, self._view_state)
        elif row is None:
            self.panel.show_lines([line(span("Select a process to see its live state.", "muted"))])
        elif row.line.child is not None:
            self.panel.show_lines(missing_child_lines(row.line.child))
        elif row.line.application is not None:
            self.panel.show_lines(application_lines(row.line.application, row.line.below))
        else:
            self.panel.show_lines([line(span(row.title, "muted"))])

    def on_process_tree_folding_changed(self) -> None:
        """Ask the node for the rows that the opened or closed branch makes visible."""
        self.processes.post_message(self.processes.WindowMoved())

    def on_table_cursor_moved(self) -> None:
        """Show the process under the cursor at once; its state follows when the node has sent it."""
        if self._view_state is not None:
            self._show_process()

    async def on_table_row_chosen(self) -> None:
        """Open the screen of a process, or open or close any other row."""
        if isinstance(self.processes.key, ProcessKey):
            await self.run_action("app.act('open_process')")
        else:
            self.processes.action_open_or_close()

    def selected(self) -> Selection:
        key = self.processes.key
        if not isinstance(key, ProcessKey) or self.processes.cursor_on_row or self.processes.seeks:
            return Selection(process=key) if isinstance(key, ProcessKey) else Selection()
        return Selection(successor=self.panel.successor)

    def select(self, process: ProcessKey) -> None:
        """Put the cursor on a process; first remove the filter and open all branches, which may hide the process."""
        self.filtered = ""
        self.processes.collapsed = frozenset()
        self.processes.select(process)

    def select_child(self, supervisor: ProcessKey, child_id: str) -> None:
        """Put the cursor on a child of a supervisor once the tree shows the child. The child's screen has its crash
        reports.

        Until then, and if the child does not run, the cursor is on the supervisor.
        """
        self._wanted_child = supervisor, child_id
        self.select(supervisor)
        self._select_wanted_child()

    def _select_wanted_child(self) -> None:
        if self._wanted_child is None:
            return
        supervisor, child_id = self._wanted_child
        if self.processes.key != supervisor:  # the operator has moved on
            self._wanted_child = None
            return
        for row in self.processes.rows_by_key.values():
            one = row.process
            if one is not None and (one.parent, one.child_id) == (supervisor.pid, child_id):
                self._wanted_child = None
                self.processes.select(row.key)
                return

    def memory(self) -> ViewMemory:
        return {"closed": tuple(sorted(self.processes.collapsed))}

    def restore(self, memory: ViewMemory) -> None:
        self.processes.collapsed = frozenset(memory.get("closed", ()))

    def needs(self) -> DataNeeds:
        self._filter.take(self.filtered)
        key = self.processes.key
        process = key if isinstance(key, ProcessKey) else None
        return DataNeeds(snapshots=False, process=process, tree=self.processes.query_for(self._filter.text))

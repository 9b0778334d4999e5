"""The screen of one operation, during and after its run."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input

from hotdash.model.view_state import Selection, ViewState
from hotdash.views.base import NodeScreen
from hotdash.views.upgrades import OperationPanel
from hotdash.widgets.filter_input import FilterInput
from hotdash.widgets.table import Table


class OperationScreen(NodeScreen):
    """Shows the operation as the node reports it. When the screen is closed, the operation continues."""

    DEFAULT_CSS = """
    OperationScreen OperationPanel { padding-top: 1; }
    OperationScreen #filter { display: none; background: $foreground 10%; padding: 0 1; }
    OperationScreen #filter.-shown { display: block; }
    OperationScreen.-low OperationPanel { padding-top: 0; }
    """

    footer_name = "operation"

    def __init__(self, operation: str) -> None:
        super().__init__()
        self.operation = operation
        self._results_focused = False

    def body(self) -> ComposeResult:
        yield OperationPanel()
        yield FilterInput(id="filter", placeholder="filter the results: every word must match", compact=True)

    def draw(self, view_state: ViewState) -> None:
        panel = self.query_one(OperationPanel)
        panel.show(view_state.node.operation(self.operation), view_state)
        self._focus_what_is_shown()

    # -------------------------------------------------------------- the filter

    def open_filter(self) -> None:
        """Open the field that filters the results."""
        self.set_focus(self.query_one("#filter").add_class("-shown"))

    @on(Input.Changed, "#filter")
    def _filter(self, changed: Input.Changed) -> None:
        self.query_one(OperationPanel).show_only(changed.value.strip())

    @on(Input.Submitted, "#filter")
    def _filtered(self) -> None:
        self.query_one("#filter").set_class(bool(self.query_one(OperationPanel).filtered), "-shown")
        self.set_focus(self.query_one("#results"))

    def action_clear_filter(self) -> None:
        """Show all results again."""
        self.clear_filter()

    def clear_filter(self) -> bool:
        """Show all results again and close the field; return whether there was a filter."""
        field = self.query_one("#filter", Input)
        if not field.has_class("-shown"):
            return False
        field.value = ""
        field.remove_class("-shown")
        self.set_focus(self.query_one("#results"))
        return True

    def _focus_what_is_shown(self) -> None:
        """Focus the phases until there are results, then the results."""
        phases, results = self.query_one("#phases"), self.query_one("#results", Table)
        if results.display and self.focused in (None, phases) and not self._results_focused:
            self._results_focused = True
            self.set_focus(results)
        elif not results.display and self.focused is None:
            self.set_focus(phases)

    def selected(self) -> Selection:
        return Selection(operation=self.operation)

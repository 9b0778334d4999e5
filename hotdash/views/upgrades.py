"""View 6: the operations on this node. The panel of one operation is also used on the operation's own screen."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from hotdash.actions import key_of
from hotdash.model.alerts.crashes import logged_crashes
from hotdash.model.operation_lines import (
    RESULT_TONES,
    headline,
    kind_words,
    outcome_lines,
    outcome_mark,
    outcome_of,
    outcome_words,
    phase_lines,
    result_counts,
    results_by_outcome,
    version_words,
)
from hotdash.model.process_details import short_vsn
from hotdash.model.rehearsal_lines import rehearsal_lines
from hotdash.model.releases.switch_lines import switch_lines
from hotdash.model.styled_text import Line, line, span
from hotdash.model.term_lines import diff_lines
from hotdash.model.units import duration, moment
from hotdash.model.view_state import Selection, ViewState
from hotdash.widgets.bars import StaticLines
from hotdash.widgets.table import Column, Row, Table
from hotdash.widgets.text_lines import ScrollingLines
from node_runtime.protocol import messages as m

from .base import View

_RESULTS = (
    Column("process", min_width=16, max_width=40, grow=True),
    Column("pid", drop_order=1, align_right=True),
    Column("action", drop_order=3),
    Column("version", max_width=30, drop_order=2),
    Column("took", align_right=True, drop_order=4),
    Column("outcome", min_width=3),
)
_HISTORY = (
    Column("", max_width=1),
    Column("operation", min_width=25, max_width=50, grow=True),
    Column("outcome", max_width=48),
    Column("by", max_width=24, drop_order=2),
    Column("when", drop_order=1, align_right=True),
)


class OperationPanel(Vertical):
    """The phases on the left; on the right the results, and the state difference of the selected result.

    Without results, the right side shows what the rehearsal has found.
    """

    SCOPED_CSS = False  # the rules for small screens begin with a class of the screen
    DEFAULT_CSS = """
    OperationPanel {
        height: 1fr;
        & > StaticLines { padding: 0 1 1 1; }
        & > Horizontal { height: 1fr; }
        & #phases { width: 30; padding: 0 1; }
        & #results-side { width: 1fr; border-left: vkey $foreground 20%; }
        & #results { height: 1fr; }
        & #details { height: 2fr; padding: 0 1; border-top: solid $foreground 20%; }
        &.-none > *, &.-no-results #results, &.-no-details #details { display: none; }
    }
    .-low OperationPanel {
        & > StaticLines { padding: 0 1; }
        & #details { height: 1fr; }
    }
    .-narrow OperationPanel #phases { width: 24; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._operation: m.Operation | None = None
        self._crashes: dict[int, str] = {}
        self.filtered = ""

    def compose(self) -> ComposeResult:
        yield StaticLines(id="verdict")
        with Horizontal():
            yield ScrollingLines(id="phases")
            with Vertical(id="results-side"):
                yield StaticLines(id="tally")
                yield Table(_RESULTS, id="results", empty="")
                yield ScrollingLines(id="details")

    def show(self, operation: m.Operation | None, view_state: ViewState, *, titled: bool = True) -> None:
        """Draw this operation as the node has reported it."""
        self._operation = operation
        self.set_class(operation is None, "-none")
        self.set_class(operation is None or not operation.results, "-no-results")
        self.set_class(operation is None or not (operation.results or _rehearsal(operation)), "-no-details")
        if operation is None:
            return
        self._crashes = logged_crashes(operation, view_state.node)
        verdict = outcome_lines(operation, view_state.fresh, view_state.node_now)
        head = [headline(operation)] if titled else []
        if operation.waits_for and operation.ended is None:
            key = span(key_of("abort", view_state.dashboard.keymap), "name")
            how = ["An operator can abort it"] if view_state.role == "viewer" else [key, " aborts it"]
            verdict.append(line("  ", *how, "; nothing has been changed yet."))
        verdict += switch_lines(operation, view_state, self.size.width)
        self.query_one("#verdict", StaticLines).show([*head, *verdict])
        self.query_one("#phases", ScrollingLines).show(phase_lines(operation, view_state.node_now))
        self.query_one("#tally", StaticLines).show([result_counts(operation, self._crashes)])
        self._show_results()

    def show_only(self, filtered: str) -> None:
        """Show only the results with every word of `filtered`."""
        self.filtered = filtered
        self._show_results()

    def _show_results(self) -> None:
        results = results_by_outcome(self._operation, self._crashes) if self._operation is not None else []
        rows = [
            Row(result.pid, _result(result, outcome_of(result, self._crashes)))
            for result in results
            if self._matches(result)
        ]
        table = self.query_one("#results", Table)
        table.show(rows, "Nothing matches the filter." if self.filtered else "")
        if rows and not table.cursor_on_row:
            table.select(rows[0].key)
        self._show_details()

    def _matches(self, result: m.ProcessResult) -> bool:
        """Return whether a result has every word of the filter."""
        outcome = f"{outcome_of(result, self._crashes)} {result.reason} {self._crashes.get(result.pid, '')}"
        searched = f"{result.name} <{result.pid}> {result.module} {result.action} {outcome}"
        return all(word in searched.lower() for word in self.filtered.lower().split())

    def _show_details(self) -> None:
        self.query_one("#details", ScrollingLines).show(self._details())

    def _details(self) -> list[Line]:
        """Return the difference of the selected result or, without results, what the rehearsal has found."""
        operation = self._operation
        if operation is None or not operation.results:
            return _rehearsal(operation)
        key = self.query_one("#results", Table).key
        result = next((one for one in operation.results if one.pid == key), None)
        return [] if result is None else _difference(result, self._crashes.get(result.pid))

    def on_table_cursor_moved(self, moved: Table.CursorMoved) -> None:
        """Show the details of the selected result."""
        moved.stop()
        self._show_details()

    def on_table_row_chosen(self, chosen: Table.RowChosen) -> None:
        """Focus the details."""
        chosen.stop()
        self.query_one("#details", ScrollingLines).focus()


def _result(result: m.ProcessResult, outcome: str) -> tuple[Line, ...]:
    versions = dict.fromkeys((short_vsn(result.old_vsn), short_vsn(result.new_vsn)))
    return (
        (span(result.name or result.module, "name"),),
        (span(f"<{result.pid}>", "muted"),),
        (span(result.action),),
        (span(" → ".join(versions)),),
        (span(duration(result.seconds), "muted"),),
        (span(outcome, RESULT_TONES[outcome]),),
    )


def _rehearsal(operation: m.Operation | None) -> list[Line]:
    """Return what the rehearsal before an install has found; no lines if it has found nothing."""
    rehearsal = None if operation is None else operation.rehearsal
    if rehearsal is None or not (rehearsal.results or rehearsal.calls):
        return []
    return [line(span("Rehearsal", "strong")), *rehearsal_lines(rehearsal)]


def _difference(result: m.ProcessResult, crash: str | None) -> list[Line]:
    head = line(span(result.name or result.module, "name"), span(f" <{result.pid}>  state before → after", "muted"))
    reason = [line(span(result.reason, "bad" if result.outcome == "failed" else "muted"))] if result.reason else []
    crashed = [line(span(crash, "bad"))] if crash is not None else []
    return [head, *reason, *crashed, *diff_lines(result.before, result.after)]


class Upgrades(View):
    """The table of the operations, and below it the selected operation."""

    SCOPED_CSS = False  # the rules for small screens begin with a class of the screen
    DEFAULT_CSS = """
    Upgrades {
        & #history { height: 1fr; max-height: 8; }
        & OperationPanel { border-top: solid $foreground 20%; height: 3fr; }
    }
    .-low Upgrades #history { max-height: 5; }
    """

    def __init__(self) -> None:
        super().__init__(id="upgrades")
        self._view_state: ViewState | None = None

    def compose(self) -> ComposeResult:
        yield Table(_HISTORY, id="history", empty="Nothing has been installed, committed or rolled back yet.")
        yield OperationPanel()

    @property
    def history(self) -> Table:
        return self.query_one("#history", Table)

    def show(self, view_state: ViewState) -> None:
        self._view_state = view_state
        words = self.filtered.lower().split()
        newest_first = [
            one for one in reversed(view_state.node.operations) if all(word in _searched(one) for word in words)
        ]
        empty = "Nothing matches the filter." if words and view_state.node.operations else None
        self.history.show([Row(one.id, _history(one, view_state)) for one in newest_first], empty)
        self._show_operation()

    def _show_operation(self) -> None:
        if self._view_state is not None:
            key = self.history.key
            operation = self._view_state.node.operation(str(key)) if key is not None else None
            self.query_one(OperationPanel).show(operation, self._view_state, titled=False)

    def on_table_cursor_moved(self) -> None:
        """Show the operation under the cursor."""
        self._show_operation()

    async def on_table_row_chosen(self) -> None:
        """Open the operation on a separate screen."""
        await self.run_action("app.open_operation")

    def selected(self) -> Selection:
        return Selection(operation=str(self.history.key)) if self.history.cursor_on_row else Selection()


def _searched(operation: m.Operation) -> str:
    parts = (operation.id, kind_words(operation), operation.from_vsn, operation.to_vsn, operation.outcome, operation.by)
    return " ".join(part for part in parts if part).lower()


def _history(operation: m.Operation, view_state: ViewState) -> tuple[Line, ...]:
    return (
        (outcome_mark(operation),),
        (span(kind_words(operation).ljust(10)), span(version_words(operation), "name")),
        (outcome_words(operation),),
        (span(operation.by, "muted"),),
        (span(moment(operation.started, view_state.now), "muted"),),
    )

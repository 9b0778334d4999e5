"""View 6: what was done to this node; and the panel that shows one operation, here and while it runs."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from hotdash.model.operation_lines import (
    RESULT_TONES,
    headline,
    outcome_lines,
    outcome_mark,
    outcome_words,
    phase_lines,
    tally,
)
from hotdash.model.process_details import short_vsn
from hotdash.model.styled_text import Line, line, say
from hotdash.model.term_lines import diff_lines
from hotdash.model.units import duration, moment
from hotdash.model.view_state import Picture, Selected
from hotdash.widgets.bars import Facts
from hotdash.widgets.table import Column, Row, Table
from hotdash.widgets.text_lines import Lines
from node_runtime.protocol import messages as m

from .base import View

_RESULTS = (
    Column("process", least=12, most=40, grow=True),
    Column("pid", rank=3, right=True),
    Column("action", rank=2),
    Column("version", most=30, rank=1),
    Column("took", right=True, rank=4),
    Column("outcome", least=3),
)
_HISTORY = (
    Column("", most=1),
    Column("operation", least=18, most=50, grow=True),
    Column("outcome", most=48),
    Column("by", most=24, rank=2),
    Column("when", rank=1, right=True),
)


class OperationPanel(Vertical):
    """Phases on the left; on the right the results, and what the selected one changed."""

    DEFAULT_CSS = """
    OperationPanel {
        height: 1fr;
        & > Facts { padding: 0 1 1 1; }
        & > Horizontal { height: 1fr; }
        & #phases { width: 30; padding: 0 1; }
        & #results-side { width: 1fr; border-left: vkey $foreground 20%; }
        & #results { height: 1fr; }
        & #difference { height: 2fr; padding: 0 1; border-top: solid $foreground 20%; }
        &.-none > *, &.-no-results #results, &.-no-results #difference { display: none; }
    }
    .-low OperationPanel {
        & > Facts { padding: 0 1; }
        & #difference { height: 1fr; }
    }
    .-narrow OperationPanel #phases { width: 24; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._operation: m.Operation | None = None

    def compose(self) -> ComposeResult:
        yield Facts(id="verdict")
        with Horizontal():
            yield Lines(id="phases")
            with Vertical(id="results-side"):
                yield Facts(id="tally")
                yield Table(_RESULTS, id="results", empty="")
                yield Lines(id="difference")

    def show(self, operation: m.Operation | None, picture: Picture, *, titled: bool = True) -> None:
        """Draw this operation as the node has told of it."""
        self._operation = operation
        self.set_class(operation is None, "-none")
        self.set_class(operation is None or not operation.results, "-no-results")
        if operation is None:
            return
        verdict = outcome_lines(operation, picture.fresh, picture.node_now)
        head = [headline(operation)] if titled else []
        self.query_one("#verdict", Facts).show([*head, *verdict])
        self.query_one("#phases", Lines).show(phase_lines(operation, picture.node_now))
        self.query_one("#tally", Facts).show([tally(operation)])
        self.query_one("#results", Table).show([Row(result.pid, _result(result)) for result in operation.results])
        self._show_difference()

    def _show_difference(self) -> None:
        results = self._operation.results if self._operation is not None else ()
        key = self.query_one("#results", Table).key
        result = next((one for one in results if one.pid == key), None)
        self.query_one("#difference", Lines).show(_difference(result) if result is not None else [])

    def on_table_moved(self, moved: Table.Moved) -> None:
        """Show what the selected result changed."""
        moved.stop()
        self._show_difference()

    def on_table_chosen(self, chosen: Table.Chosen) -> None:
        """Enter goes to the difference."""
        chosen.stop()
        self.query_one("#difference", Lines).focus()


def _result(result: m.ProcessResult) -> tuple[Line, ...]:
    versions = dict.fromkeys((short_vsn(result.old_vsn), short_vsn(result.new_vsn)))
    return (
        (say(result.name or result.module, "name"),),
        (say(f"<{result.pid}>", "fact"),),
        (say(result.action),),
        (say(" → ".join(versions)),),
        (say(duration(result.seconds), "fact"),),
        (say(result.outcome, RESULT_TONES[result.outcome]),),
    )


def _difference(result: m.ProcessResult) -> list[Line]:
    head = line(say(result.name or result.module, "name"), say(f" <{result.pid}>  state before → after", "fact"))
    reason = [line(say(result.reason, "bad"))] if result.reason else []
    return [head, *reason, *diff_lines(result.before, result.after)]


class Upgrades(View):
    """The history above, the selected operation below."""

    DEFAULT_CSS = """
    Upgrades {
        & #history { height: 1fr; max-height: 8; }
        & OperationPanel { border-top: solid $foreground 20%; height: 3fr; }
    }
    .-low Upgrades #history { max-height: 5; }
    """

    def __init__(self) -> None:
        super().__init__(id="upgrades")
        self._picture: Picture | None = None

    def compose(self) -> ComposeResult:
        yield Table(_HISTORY, id="history", empty="Nothing has been installed, committed or rolled back yet.")
        yield OperationPanel()

    @property
    def history(self) -> Table:
        return self.query_one("#history", Table)

    def show(self, picture: Picture) -> None:
        self._picture = picture
        words = self.filtered.lower().split()
        newest_first = [
            one for one in reversed(picture.node.operations) if all(word in _searched(one) for word in words)
        ]
        empty = "Nothing matches the filter." if words and picture.node.operations else None
        self.history.show([Row(one.id, _history(one, picture)) for one in newest_first], empty)
        self._show_operation()

    def _show_operation(self) -> None:
        if self._picture is not None:
            key = self.history.key
            operation = self._picture.node.operation(str(key)) if key is not None else None
            self.query_one(OperationPanel).show(operation, self._picture, titled=False)

    def on_table_moved(self) -> None:
        """Show the operation under the cursor."""
        self._show_operation()

    async def on_table_chosen(self) -> None:
        """Enter opens the operation on a screen of its own."""
        await self.run_action("app.open_operation")

    def selected(self) -> Selected:
        return Selected(operation=str(self.history.key)) if self.history.present else Selected()


def _searched(operation: m.Operation) -> str:
    parts = (operation.id, operation.kind, operation.from_vsn, operation.to_vsn, operation.outcome, operation.who)
    return " ".join(part for part in parts if part).lower()


def _history(operation: m.Operation, picture: Picture) -> tuple[Line, ...]:
    way = operation.to_vsn if operation.kind == "commit" else f"{operation.from_vsn} → {operation.to_vsn}"
    return (
        (outcome_mark(operation),),
        (say(operation.kind.ljust(8)), say(way, "name")),
        (outcome_words(operation),),
        (say(operation.who, "fact"),),
        (say(moment(operation.started, picture.now), "fact"),),
    )

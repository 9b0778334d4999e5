"""The screen of a plan, before anything is changed."""

from __future__ import annotations

from textual.app import ComposeResult

from hotdash.actions import key_of
from hotdash.model.operation_lines import started_words
from hotdash.model.plan_lines import plan_lines, plan_title
from hotdash.model.styled_text import line, span
from hotdash.model.view_state import Selection, ViewState
from hotdash.views.base import NodeScreen
from hotdash.widgets.bars import StaticLines
from hotdash.widgets.text_lines import ScrollingLines
from node_runtime.protocol import messages as m


class PlanScreen(NodeScreen):
    """Shows one plan as text; its footer offers the upgrade and the downgrade."""

    DEFAULT_CSS = """
    PlanScreen {
        & > StaticLines { padding: 1 1; }
        & > ScrollingLines { height: 1fr; padding: 0 1; }
        &.-low > StaticLines { padding: 0 1; }
    }
    """

    footer_name = "plan"

    def __init__(self, plan: m.Plan) -> None:
        super().__init__()
        self.plan = plan

    def body(self) -> ComposeResult:
        yield StaticLines()
        yield ScrollingLines(id="plan")

    def on_mount(self) -> None:
        self.query_one("#plan").focus()

    def draw(self, view_state: ViewState) -> None:
        """Draw the plan, and a warning if the node has changed since the plan was made."""
        snapshot = view_state.node.snapshot
        head = [line(span(plan_title(self.plan), "strong"), span(f"  on {view_state.node.name}", "muted"))]
        self.query_one(StaticLines).show(head)
        outdated, key = "", key_of("plan", view_state.dashboard.keymap)
        if running := view_state.node.unfinished():
            outdated = f"Not now: {started_words(running[-1])}. When it has ended, press {key} to plan again."
        elif snapshot is not None and snapshot.info.generation != self.plan.generation:
            outdated = f"The node has changed since this plan was made; press {key} to plan again."
        self.query_one("#plan", ScrollingLines).show(plan_lines(self.plan, outdated))

    def selected(self) -> Selection:
        return Selection(vsn=self.plan.to_vsn, direction=self.plan.direction)

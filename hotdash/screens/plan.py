"""The plan of an upgrade or a downgrade, before anything is touched."""

from __future__ import annotations

from textual.app import ComposeResult

from hotdash.model.plan_lines import plan_lines, plan_title
from hotdash.model.styled_text import line, say
from hotdash.model.view_state import Picture, Selected
from hotdash.views.base import NodeScreen
from hotdash.widgets.bars import Facts
from hotdash.widgets.text_lines import Lines
from node_runtime.protocol import messages as m


class PlanScreen(NodeScreen):
    """Reads like a page; U or D on it asks for the deed, P and X belong to what runs."""

    DEFAULT_CSS = """
    PlanScreen {
        & > Facts { padding: 1 1; }
        & > Lines { height: 1fr; padding: 0 1; }
        &.-low > Facts { padding: 0 1; }
    }
    """

    keys_of = "plan"

    def __init__(self, plan: m.Plan) -> None:
        super().__init__()
        self.plan = plan

    def body(self) -> ComposeResult:
        yield Facts()
        yield Lines(id="plan")

    def on_mount(self) -> None:
        self.query_one("#plan").focus()

    def draw(self, picture: Picture) -> None:
        """A plan does not move; only what the node did since is said."""
        snapshot = picture.node.snapshot
        head = [line(say(plan_title(self.plan), "strong"), say(f"  on {picture.node.name}", "fact"))]
        if snapshot is not None and snapshot.info.generation != self.plan.generation:
            head.append(line(say("The node has changed since this plan was made: make it again with p.", "warn")))
        self.query_one(Facts).show(head)
        self.query_one("#plan", Lines).show(plan_lines(self.plan))

    def selected(self) -> Selected:
        return Selected(vsn=self.plan.to_vsn)

"""A plan, printed as the dashboard shows it."""

from __future__ import annotations

from rich.console import Group, RenderableType

from hotdash.model.plan_lines import plan_lines, plan_title
from node_runtime.protocol import messages as m

from .layout import block, text


def plan(made: m.Plan) -> RenderableType:
    """Return the whole plan."""
    return Group(text(plan_title(made), "strong"), block(plan_lines(made)))

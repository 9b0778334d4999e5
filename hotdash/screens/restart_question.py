"""The question before a cold upgrade."""

from __future__ import annotations

from collections.abc import Callable

from hotdash.model.styled_text import line, span

from .confirm import Answer, Question


def restart_question(node: str, vsn: str, command_line: Callable[[Answer], str]) -> Question:
    """Return the question that asks the operator to confirm the restart of `node` into the release `vsn`."""
    return Question(
        title=f"Restart into {vsn}",
        lines=(
            line(span("on ", "muted"), span(node, "strong")),
            line(span("Lost: the states of all processes, their messages, connections, values in modules.", "bad")),
            line("The release is on probation: unless it is committed, the node restarts into the permanent release."),
        ),
        verb="Restart",
        command_line=command_line,
        typed=vsn,
        operation=True,
        reason=f"restart into {vsn}",
    )

"""The blockers of a plan as styled lines. Blockers that differ only in their process are one group."""

from __future__ import annotations

import re
from typing import Final

from hotdash.model.styled_text import Line, Span, Tone, line, span
from node_runtime.protocol import messages as m

MAX_LISTED_PIDS: Final = 8
"""The maximum number of processes that are listed for a group of blockers."""
_PID: Final = re.compile(r"<\d+>")


def blocker_lines(plan: m.Plan) -> list[Line]:
    """Return lines for each group of blockers: the reason with one process, the other processes, and the remedy."""
    return [each for group in blocker_groups(plan) for each in _group(group)]


def blocker_groups(plan: m.Plan) -> list[list[m.Blocker]]:
    """Return the blockers of the plan in groups: those of a group differ only in their process."""
    names = {process.pid: process.name for process in plan.processes if process.name}
    groups: dict[tuple[str, str, bool], list[m.Blocker]] = {}
    for blocker in plan.blockers:
        groups.setdefault((_template(blocker, names), blocker.remedy, blocker.transient), []).append(blocker)
    return list(groups.values())


def _template(blocker: m.Blocker, names: dict[int, str]) -> str:
    """Return the blocker's reason without the name of its process; without a process, return the whole reason."""
    if blocker.pid is None:
        return blocker.reason
    name = names.get(blocker.pid)
    reason = blocker.reason.replace(name, "<>") if name else blocker.reason
    return _PID.sub("<>", reason)


def _group(group: list[m.Blocker]) -> list[Line]:
    first = group[0]
    tone: Tone = "warn" if first.transient else "bad"
    mark = Span("◷ " if first.transient else "✖ ", tone)
    about = f"  <{first.pid}>" if first.pid is not None else ""
    lines: list[Line] = [(Span("  "), mark, span(first.reason, tone), span(about, "muted"))]
    if len(group) > 1:
        others = " ".join(f"<{blocker.pid}>" for blocker in group[1 : MAX_LISTED_PIDS + 1])
        cut = " …" if len(group) - 1 > MAX_LISTED_PIDS else ""
        lines.append(line(span(f"    and the same for {len(group) - 1:,} more: ", tone), span(others + cut, "muted")))
    if first.remedy:
        lines.append((Span("    → "), span(first.remedy)))
    return lines

"""Styled lines about live values: objects of replaced code, such as functions, that processes still hold."""

from __future__ import annotations

from node_runtime.protocol import messages as m

from .styled_text import Line, Span, Tone, line, span

MAX_LISTED = 12
"""The maximum number of kinds of values that are listed."""
_OUTCOMES: dict[m.ValueOutcome, tuple[str, Tone]] = {
    "migrated": ("converted by code_change", "ok"),
    "blocked": ("would stay in old code", "bad"),
    "waits": ("is handled soon", "warn"),
    "kept": ("stays in old code", "muted"),
}

_BY_NAME: tuple[m.ValuePlace, ...] = ("message", "timer", "timeout", "postponed event")
"""The places whose values no code_change converts."""


def live_value_lines(values: tuple[m.LiveValue, ...]) -> list[Line]:
    """Return two lines for each kind of live value.

    The first names the processes and what the upgrade does; the second names the code, its place and its changes.
    """
    lines = [part for value in values[:MAX_LISTED] for part in _value(value)]
    if len(values) > MAX_LISTED:
        lines.append(line(span(f"    and {len(values) - MAX_LISTED} more", "muted")))
    return lines


def _value(value: m.LiveValue) -> tuple[Line, Line]:
    words, tone = _OUTCOMES[value.outcome]
    if value.outcome == "migrated" and value.place in _BY_NAME:
        words = "converted by name"
    others = f" and {value.processes - 1:,} more" if value.processes > 1 else ""
    changed = [f"+{name}" for name in value.added] + [f"-{name}" for name in value.removed]
    changed += [f"~{name}" for name in value.changed] + ["gone"] * value.gone
    where = " ".join(part for part in (value.place, value.detail, value.path) if part)
    head = (
        Span("  "),
        span(value.name or value.module, "name"),
        span(f"  <{value.pid}>{others}  ", "muted"),
        span(words, tone),
    )
    what = (
        span(f"    {value.sort} ", "muted"),
        span(value.code),
        span(f"  {' '.join(changed)}" if changed else "", "warn"),
        span(f"  in {where}", "muted"),
    )
    return head, what

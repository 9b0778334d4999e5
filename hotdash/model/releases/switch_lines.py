"""The node's vitals before and after the switch of an operation, and the health of the release that it installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hotdash.model.styled_text import Line, Span, line, span
from hotdash.model.view_state import ViewState
from hotdash.model.vitals import GAUGES, Gauge, sparkline
from node_runtime.protocol import messages as m

from .release_words import health_words

SIDE_SECONDS: Final = 30.0
"""The number of seconds before and after the switch whose vitals are compared."""
_SHOWN: Final = ("cpu_percent", "loop_lag", "messages_per_second", "queued", "restarts")
_SIDE_CELLS: Final = 14
_AVERAGES_CELLS: Final = 20


def switch_lines(operation: m.Operation, view_state: ViewState, width: int) -> list[Line]:
    """Return the health of the release, and a line with two sparklines for each gauge, in at most `width` cells.

    Return no lines before the switch, and none if there was no switch or the vitals around it are not known.
    """
    if operation.ended is None or operation.kind == "commit" or operation.outcome == "aborted":
        return []
    lines = _health(operation, view_state)
    before, after = sides(view_state.node.history.samples, operation.ended)
    if not before or not after:
        return lines
    cells = [_gauge(gauge, before, after) for gauge in GAUGES if gauge.field in _SHOWN]
    per_line = max(1, width // (2 * _SIDE_CELLS + 32))
    rows = [cells[start : start + per_line] for start in range(0, len(cells), per_line)]
    return [*lines, *(_row(row) for row in rows)]


def sides(samples: Sequence[m.Vitals], switch: float) -> tuple[list[m.Vitals], list[m.Vitals]]:
    """Return the vitals of the last seconds before the Unix time `switch`, and those of the first seconds after it."""
    before = [one for one in samples if switch - SIDE_SECONDS <= one.at < switch]
    return before, [one for one in samples if switch <= one.at <= switch + SIDE_SECONDS]


def _health(operation: m.Operation, view_state: ViewState) -> list[Line]:
    release = view_state.node.release(operation.to_vsn)
    if release is None or release.health is None or operation.probation_until is None:
        return []
    return [line("  health: ", health_words(release.health), f", {release.health.finding}")]


def _row(cells: Sequence[Line]) -> Line:
    """Return the cells as one line. The last cell gets no padding, because padding could fold the line."""
    *padded, last = cells
    return (*(part for cell in padded for part in (*cell[:-1], span(cell[-1].text.ljust(_AVERAGES_CELLS)))), *last)


def _gauge(gauge: Gauge, before: list[m.Vitals], after: list[m.Vitals]) -> Line:
    """Return the title, the sparkline before the switch, a separator, the sparkline after it, and the two averages."""
    values = [gauge.value(one) for one in (*before, *after)]
    scale = max((*values, gauge.min_range))
    was, now = _bars(values[: len(before)], scale), _bars(values[len(before) :], scale)
    averages = f" {_average(gauge, before)} → {_average(gauge, after)}"
    return (
        span(f"  {gauge.title:9}", "muted"),
        Span(was[-_SIDE_CELLS:].rjust(_SIDE_CELLS), "muted"),
        Span("│", "warn"),
        Span(now[:_SIDE_CELLS].ljust(_SIDE_CELLS), "ok"),
        span(averages),
    )


def _bars(values: list[float], scale: float) -> str:
    return sparkline(values, len(values), scale)


def _average(gauge: Gauge, side: list[m.Vitals]) -> str:
    return gauge.words(sum(gauge.value(one) for one in side) / len(side))

"""View 7: the events that the node reports, newest last."""

from __future__ import annotations

from textual.app import ComposeResult

from hotdash.model.styled_text import Line, Span, Tone, line, span
from hotdash.model.units import moment
from hotdash.model.view_state import ViewState
from hotdash.widgets.bars import StaticLines
from hotdash.widgets.text_lines import ScrollingLines
from node_runtime.protocol import messages as m

from .base import View

_TONES: dict[str, Tone] = {"operation": "warn", "release": "ok", "module": "name", "audit": "warn", "process": "plain"}


class Events(View):
    """The event log. While it is scrolled to its end, it follows new events."""

    DEFAULT_CSS = """
    Events ScrollingLines { height: 1fr; padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__(id="events")

    def compose(self) -> ComposeResult:
        yield StaticLines()
        yield ScrollingLines(tail=True)

    def show(self, view_state: ViewState) -> None:
        words = self.filtered.lower().split()
        log = view_state.node.log
        kept = [event for event in log if all(word in f"{event.kind} {event.text}".lower() for word in words)]
        summary = f"{len(kept)} of {len(log)} events" if words else f"{len(log)} events"
        self.query_one(StaticLines).show([line(span(summary, "muted"))])
        if kept:
            lines = [_line(event, view_state.now) for event in kept]
        else:
            lines = [line(span("Nothing matches the filter." if log else "There are no events yet.", "muted"))]
        self.query_one(ScrollingLines).show(lines)


def _line(event: m.NodeEvent, now: float) -> Line:
    return (
        span(moment(event.at, now), "muted"),
        Span("  "),
        span(event.kind.ljust(9), _TONES.get(event.kind, "plain")),
        Span("  "),
        span(event.text),
    )

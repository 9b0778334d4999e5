"""View 7: what the node reports, newest last."""

from __future__ import annotations

from textual.app import ComposeResult

from hotdash.model.styled_text import Line, Span, Tone, line, say
from hotdash.model.units import moment
from hotdash.model.view_state import Picture
from hotdash.widgets.bars import Facts
from hotdash.widgets.text_lines import Lines
from node_runtime.protocol import messages as m

from .base import View

_TONES: dict[str, Tone] = {"operation": "warn", "release": "ok", "module": "name", "process": "plain", "log": "plain"}


class Events(View):
    """A log that stays at its end while it is there."""

    DEFAULT_CSS = """
    Events Lines { height: 1fr; padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__(id="events")

    def compose(self) -> ComposeResult:
        yield Facts()
        yield Lines(tail=True)

    def show(self, picture: Picture) -> None:
        words = self.filtered.lower().split()
        log = picture.node.log
        kept = [event for event in log if all(word in f"{event.kind} {event.text}".lower() for word in words)]
        what = f"{len(kept)} of {len(log)} events" if words else f"{len(log)} events"
        self.query_one(Facts).show([line(say(what, "fact"))])
        if kept:
            lines = [_line(event, picture.now) for event in kept]
        else:
            lines = [line(say("Nothing matches the filter." if log else "Nothing has happened yet.", "fact"))]
        self.query_one(Lines).show(lines)


def _line(event: m.Event, now: float) -> Line:
    return (
        say(moment(event.at, now), "fact"),
        Span("  "),
        say(event.kind.ljust(9), _TONES.get(event.kind, "plain")),
        Span("  "),
        say(event.text),
    )

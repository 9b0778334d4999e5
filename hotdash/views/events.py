"""Views 7 and 8: the events that the node reports, and its log records of level WARNING and higher, newest last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from hotdash.actions import key_of
from hotdash.keymap import move_key_of
from hotdash.model.alerts.log_filter import Entry, fold, parse_filter
from hotdash.model.alerts.troubles import level_of
from hotdash.model.process.call_lines import traceback_lines
from hotdash.model.styled_text import Line, Span, Tone, line, span, text_of
from hotdash.model.units import moment, plural
from hotdash.model.view_state import ViewState
from hotdash.moves import move_keys
from hotdash.widgets.bars import StaticLines
from hotdash.widgets.filter_input import FilterInput
from hotdash.widgets.text_lines import ScrollingLines

from .base import View

_TONES: dict[str, Tone] = {"operation": "warn", "release": "ok", "module": "name", "audit": "warn", "process": "plain"}
_LEVEL_TONES: dict[str, Tone] = {"warning": "warn", "error": "bad", "critical": "bad"}
_INDENT: Final = " " * 10


class EventList(View):
    """A list of events, which can be filtered, searched and folded.

    While its end is shown, the list scrolls on to each new event. The tracebacks of the events can be shown and hidden.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(move_keys("toggle_row"), "toggle_tracebacks", id="toggle_row", show=False),
        Binding(move_keys("search"), "search", id="search", show=False),
        Binding(move_keys("next_match"), "go_to_match(1)", id="next_match", show=False),
        Binding(move_keys("previous_match"), "go_to_match(-1)", id="previous_match", show=False),
    ]

    DEFAULT_CSS = """
    EventList {
        & ScrollingLines { height: 1fr; padding: 0 1; }
        & #search { display: none; background: $foreground 10%; padding: 0 1; }
        & #search.-shown { display: block; }
    }
    """

    logs: ClassVar[bool] = False
    empty: ClassVar[str] = "There are no events yet."
    filter_hint: ClassVar[str] = "kind:process since:10m at:14:05 !word"

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._lines: list[Line] = []
        self._searched = ""
        self._seen = 0
        self._view_state: ViewState | None = None
        self._has_tracebacks = False
        self._shows_tracebacks = False

    def compose(self) -> ComposeResult:
        yield StaticLines()
        yield ScrollingLines(tail=True)
        yield FilterInput(
            id="search", placeholder="search; n and N go to the next and the previous match", compact=True
        )

    def show(self, view_state: ViewState) -> None:
        """Draw the events that the filter keeps."""
        self._view_state = view_state
        log = [event for event in view_state.node.log if (event.kind == "log") == self.logs]
        wanted = parse_filter(self.filtered)
        kept = [event for event in log if wanted.matches(event, view_state.node_now)]
        self._has_tracebacks = any(event.trace for event in kept)
        self._lines = [
            one for entry in fold(kept) for one in _lines(entry, view_state.now, traceback=self._shows_tracebacks)
        ]
        text = self.query_one(ScrollingLines)
        text.show(self._lines or [line(span("Nothing matches the filter." if log else self.empty, "muted"))])
        if text.follows:
            self._seen = len(log)
        summary = self._summary(len(kept), len(log), text.follows, view_state.dashboard.keymap)
        self.query_one(StaticLines).show([summary])

    def _summary(self, kept: int, known: int, follows: bool, keymap: dict[str, str]) -> Line:
        number = f"{kept:,} of {plural(known, 'event')}" if self.filtered else plural(known, "event")
        follow: Span = span("  follows", "ok")
        if not follows:
            last = move_key_of("last", keymap)
            follow = span(f"  {max(0, known - self._seen)} newer: {last} follows again", "warn")
        found = ""
        if self._searched:
            keys = f"{move_key_of('next_match', keymap)} next, {move_key_of('previous_match', keymap)} previous"
            found = f"  {len(self._matches())} lines with {self._searched!r}: {keys}"
        hint = ""
        if not self.filtered and not self._searched:
            search = f"{move_key_of('search', keymap)} search"
            hint = f"  {key_of('filter', keymap)} {self.filter_hint}  {search}"
        traces = ""
        if self._has_tracebacks:
            action = "hides" if self._shows_tracebacks else "shows"
            traces = f"  {move_key_of('toggle_row', keymap)} {action} tracebacks"
        return (span(number, "muted"), follow, span(found), span(traces, "muted"), span(hint, "muted"))

    def action_toggle_tracebacks(self) -> None:
        """Show the traceback of each event below its line, or hide all of them."""
        self._shows_tracebacks = not self._shows_tracebacks
        if self._view_state is not None:
            self.show(self._view_state)

    # -------------------------------------------------------------- search

    def action_search(self) -> None:
        """Open the search field."""
        self.screen.set_focus(self.query_one("#search").add_class("-shown"))

    @on(Input.Submitted, "#search")
    def _search(self, submitted: Input.Submitted) -> None:
        submitted.stop()
        self._searched = submitted.value.strip().lower()
        self._close_search()
        self.action_go_to_match(-1)

    @on(Input.Changed, "#search")
    def _typed(self, changed: Input.Changed) -> None:
        changed.stop()

    def _close_search(self) -> None:
        self.query_one("#search").remove_class("-shown")
        self.screen.set_focus(self.query_one(ScrollingLines))

    def close_search(self) -> bool:
        """End the search and close its field; return whether there was one."""
        field = self.query_one("#search", Input)
        there = bool(self._searched) or field.has_class("-shown")
        self._searched, field.value = "", ""
        self._close_search()
        return there

    def _matches(self) -> list[int]:
        return [number for number, one in enumerate(self._lines) if self._searched in text_of(one).lower()]

    def action_go_to_match(self, direction: int) -> None:
        """Scroll to the next line below (1), or the next line above (-1), that has the searched text."""
        matches, text = self._matches() if self._searched else [], self.query_one(ScrollingLines)
        if not matches:
            return
        at = text.top_line()
        ahead = [one for one in matches if (one > at if direction > 0 else one < at)]
        target = (min(ahead) if direction > 0 else max(ahead)) if ahead else matches[0 if direction > 0 else -1]
        text.go_to_line(target)


class Events(EventList):
    """View 7: all events except log records."""

    def __init__(self) -> None:
        super().__init__(id="events")


class Logs(EventList):
    """View 8: the log records."""

    logs = True
    empty = "The node has logged no warning and no error yet."
    filter_hint = "level:error since:10m at:14:05 !word"

    def __init__(self) -> None:
        super().__init__(id="logs")


def _lines(entry: Entry, now: float, *, traceback: bool) -> Iterator[Line]:
    yield _line(entry, now)
    if traceback:
        yield from ((Span(_INDENT), *one) for one in traceback_lines(entry.event.trace))


def _line(entry: Entry, now: float) -> Line:
    event = entry.event
    level = level_of(event)
    tone = _LEVEL_TONES.get(level, "plain") if level else _TONES.get(event.kind, "plain")
    kind = level or event.kind
    text = event.text.partition(": ")[2] if level else event.text
    more = f"  and {entry.times - 1:,} like it since {moment(entry.first_at, now)}" if entry.times > 1 else ""
    return (
        span(moment(event.at, now), "muted"),
        Span("  "),
        span(kind.ljust(9), tone),
        Span("  "),
        span(text),
        span(more, "warn"),
    )

"""The top line of every screen: node, release, connection and rights."""

from __future__ import annotations

from textual.app import RenderResult
from textual.reactive import reactive
from textual.widget import Widget

from hotdash.model.releases.release_words import health_words
from hotdash.model.releases.worker_lines import workers_words
from hotdash.model.styled_text import Line, Span, cut, line, span, width_of
from hotdash.model.units import age, countdown
from hotdash.model.view_state import ViewState
from node_runtime.protocol import messages as m

from .painting import content

WIDE = 110
"""The minimum width, in columns, at which the header also shows less important parts."""


class Header(Widget):
    """Node, release and status on the left, the dashboard's CPU and memory use, connection and rights on the right."""

    DEFAULT_CSS = """
    Header {
        height: 1;
        padding: 0 1;
        background: $panel;
        color: $foreground;
        &.-armed { background: $error 55%; }
        &:ansi.-armed { background: ansi_red; color: ansi_bright_white; text-style: bold; }
        &:nocolor.-armed { text-style: reverse bold; }
    }
    """

    lines: reactive[tuple[Line, Line]] = reactive(((), ()))

    def show(self, view_state: ViewState) -> None:
        """Draw the state."""
        self.set_class(view_state.armed, "-armed")
        wide = self.size.width >= WIDE
        self.lines = (left_part(view_state, wide=wide), right_part(view_state, wide=wide))

    def render(self) -> RenderResult:
        left, right = self.lines
        if self.has_class("-armed"):  # red hides other colours
            left, right = (tuple(Span(part.text, "strong") for part in half) for half in self.lines)
        left = cut(left, self.content_size.width - width_of(right) - 1)  # the connection and the rights stay readable
        gap = self.content_size.width - width_of(left) - width_of(right)
        return content((*left, Span(" " * max(gap, 1)), *right))


def left_part(view_state: ViewState, *, wide: bool) -> Line:
    """Return node, release and status; also the number of workers if `wide`, or if one is down or differs."""
    snapshot = view_state.node.snapshot
    name = span(view_state.node.name, "strong")
    if snapshot is None:
        return line(name)
    info = snapshot.info
    return line(
        name,
        "  ",
        span(info.release, "name"),
        " ",
        span(info.vsn, "strong"),
        *((span("  DEVELOPMENT", "warn"),) if info.development else ()),
        "  ",
        *release_status(view_state),
        *_workers(snapshot.workers, wide=wide),
        *((span("  UNSIGNED ALLOWED", "bad"),) if info.trust.keys and info.trust.allow_unsigned else ()),
    )


def _workers(workers: tuple[m.WorkerInfo, ...], *, wide: bool) -> Line:
    words = workers_words(workers)
    if not words or not (wide or words[0].tone == "warn"):
        return ()
    return (Span("  "), *words, span(" workers", "muted"))


def release_status(view_state: ViewState) -> Line:
    """Return the status of the running release, with the time left on probation."""
    running = view_state.node.running()
    if running is None:
        return ()
    if running.probation_until is not None:
        left = running.probation_until - view_state.node_now
        health = running.health
        verdict = () if health is None or health.verdict == "unknown" else (Span(" "), health_words(health))
        no_way_back = (span("NO WAY BACK  ", "bad"),) if running.no_way_back else ()
        return (*no_way_back, span(f"◆ on probation {countdown(left)}", "warn"), *verdict)
    if running.status == "permanent":
        return (span("permanent", "ok"),)
    return (span(running.status, "warn"),)


def right_part(view_state: ViewState, *, wide: bool) -> Line:
    """Return the connection and the rights, and PAUSED while the display is paused.

    If `wide`, also return the dashboard's CPU and memory use.
    """
    if view_state.dashboard.replay:
        return (span(view_state.dashboard.replay, "strong"),)
    words, tone = view_state.node.badge(view_state.now)
    spans = [span(words, tone), Span("  ")]
    if wide and view_state.dashboard.cost:
        spans = [span(view_state.dashboard.cost, "muted"), Span("   "), *spans]
    if view_state.dashboard.recording:
        spans = [span(view_state.dashboard.recording, "bad"), Span("  "), *spans]
    if view_state.dashboard.paused:
        spans = [span("PAUSED", "warn"), Span("  "), *spans]
    until = view_state.dashboard.armed_until
    if until is not None and view_state.armed:
        spans.append(span(f"ARMED {age(until - view_state.now)}", "strong"))
    else:
        spans.append(span("READ-ONLY (viewer)" if view_state.role == "viewer" else "READ-ONLY", "ok"))
    return tuple(spans)

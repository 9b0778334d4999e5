"""The top of every screen: whose picture this is, whether it is true, and whether a key can change something."""

from __future__ import annotations

from textual.app import RenderResult
from textual.reactive import reactive
from textual.widget import Widget

from hotdash.model.operation_lines import VERDICTS
from hotdash.model.styled_text import Line, Span, line, say, width_of
from hotdash.model.units import age, countdown
from hotdash.model.view_state import Picture

from .painting import content


class Header(Widget):
    """Node, release and its status on the left; connection, rights and own cost on the right. Red while armed."""

    DEFAULT_CSS = """
    Header {
        height: 1;
        padding: 0 1;
        background: $panel;
        color: $foreground;
        &.-armed { background: $error 55%; }
    }
    """

    lines: reactive[tuple[Line, Line]] = reactive(((), ()))

    def show(self, picture: Picture) -> None:
        """Draw another moment."""
        self.set_class(picture.armed, "-armed")
        self.lines = (left_part(picture), right_part(picture, wide=self.size.width >= 110))

    def render(self) -> RenderResult:
        left, right = self.lines
        gap = self.content_size.width - width_of(left) - width_of(right)
        return content((*left, Span(" " * max(gap, 1)), *right))


def left_part(picture: Picture) -> Line:
    """Node, release, status."""
    snapshot = picture.node.snapshot
    name = say(picture.node.name, "strong")
    if snapshot is None:
        return line(name)
    info = snapshot.info
    return line(name, "  ", say(info.release, "name"), " ", say(info.vsn, "strong"), "  ", *status(picture))


def status(picture: Picture) -> Line:
    """What the running release is: permanent, or on probation with what is left of it."""
    running = picture.node.running()
    if running is None:
        return ()
    if running.probation_until is not None:
        left = running.probation_until - picture.node_now
        health = running.health
        known = health is not None and health.verdict != "unknown"
        doing = (say(f" {health.verdict}", VERDICTS[health.verdict]),) if health is not None and known else ()
        return (say(f"◆ on probation {countdown(left)}", "warn"), *doing)
    if running.status == "permanent":
        return (say("permanent", "ok"),)
    return (say(running.status, "warn"),)


def right_part(picture: Picture, *, wide: bool) -> Line:
    """Connection and rights, and what the dashboard itself costs where there is room."""
    words, tone = picture.node.connection.badge(picture.node.heard, picture.now)
    spans = [say(words, tone), Span("  ")]
    if wide and picture.desk.cost:
        spans = [say(picture.desk.cost, "fact"), Span("   "), *spans]
    if picture.desk.paused:
        spans = [say("PAUSED", "warn"), Span("  "), *spans]
    until = picture.desk.armed_until
    if until is not None and picture.armed:
        spans.append(say(f"ARMED {age(until - picture.now)}", "strong"))
    else:
        spans.append(say("READ-ONLY", "ok"))
    return tuple(spans)

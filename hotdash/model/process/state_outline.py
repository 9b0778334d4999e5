"""The state of a process as an outline, with the parts that have changed since the operator's last visit."""

from __future__ import annotations

from collections.abc import Mapping

from hotdash.model.styled_text import Line, Span, span
from hotdash.model.term_diff import Change, diff
from hotdash.model.units import clock, duration, plural
from node_runtime.protocol import messages as m
from node_runtime.protocol.clip import clip
from node_runtime.protocol.term_text import term_line

from .outline import OutlineNode, Path
from .visits import Look

OPEN_DEPTH = 3
"""Values down to this depth are open at first, if they have few parts."""
MAX_OPEN_PARTS = 30
LONG_TEXT = 60
"""A longer text is continued on lines of this length, which are hidden at first."""
MAX_BEFORE = 40
"""The maximum number of characters of an earlier value beside the present one."""


def state_outline(view: m.ProcessView, before: Look | None) -> tuple[OutlineNode, ...]:
    """Return three sections: the changes since `before`, the state, and the timeouts of a state machine."""
    changes = diff(before.state, view.state) if before is not None else ()
    nodes = []
    if before is not None and changes:
        nodes.append(_changes_node(changes, before.at))
    state = _term_node(view.state, "state", ("state",), (), {change.path: change for change in changes}, 0)
    nodes.append(state)
    if view.timeouts or view.postponed:
        nodes.append(_timeouts_node(view.timeouts, view.postponed))
    return tuple(nodes)


def _changes_node(changes: tuple[Change, ...], since: float) -> OutlineNode:
    head = (span(f"{plural(len(changes), 'change')} since {clock(since)}", "warn"),)
    children = tuple(
        OutlineNode(("changes", str(number), *change.path), _change_line(change))
        for number, change in enumerate(changes)
    )
    return OutlineNode(("changes",), head, children, is_open=len(changes) <= 5)


def _change_line(change: Change) -> Line:
    name = span(".".join(change.path) or "the state", "name")
    if change.after is None:
        return (name, Span("  "), span("removed", "bad"), Span("  was ", "muted"), _earlier(change))
    after = span(clip(term_line(change.after), LONG_TEXT), "strong")
    if change.before is None:
        return (name, Span("  "), span("added", "ok"), Span("  "), after)
    return (name, Span("  "), _earlier(change), Span(" → ", "muted"), after)


def _earlier(change: Change) -> Span:
    return span(clip(term_line(change.before), MAX_BEFORE) if change.before is not None else "", "muted")


def _term_node(
    term: m.Term, label: str, path: Path, place: Path, changes: Mapping[Path, Change], depth: int
) -> OutlineNode:
    """Return a value as a line, with its parts as lines below. `place` is its path in the state, a key of `changes`."""
    children = tuple(
        _term_node(part, name, (*path, str(number), name), (*place, name), changes, depth + 1)
        for number, (name, part) in enumerate(term.items)
    )
    if term.cut:
        children += (OutlineNode((*path, "…"), (span(f"… {term.cut} more left out", "muted"),)),)
    text = term.text if not term.items else ""
    if len(text) > LONG_TEXT:
        children += tuple(
            OutlineNode((*path, "text", str(at)), (span(text[at : at + LONG_TEXT], "strong"),))
            for at in range(0, len(text), LONG_TEXT)
        )
    is_open = depth < OPEN_DEPTH and len(children) <= MAX_OPEN_PARTS and len(text) <= LONG_TEXT
    return OutlineNode(path, _term_line(term, label, changes.get(place)), children, is_open=is_open or depth == 0)


def _term_line(term: m.Term, label: str, change: Change | None) -> Line:
    head = (span(label, "name"), Span("  "))
    moved: Line = ()
    if change is not None:
        moved = (Span("  "), span("new" if change.before is None else "was ", "muted"), _earlier(change))
    if term.items:
        return (*head, span(f"{term.type}, {plural(len(term.items) + term.cut, 'part')}", "muted"), *moved)
    value = clip(term.text, LONG_TEXT) or f"empty {term.type}"
    shown = span(value, "warn" if change is not None else "strong" if term.text else "muted")
    obvious = term.type in ("int", "str", "bool", "NoneType", "float") or not term.text
    return (*head, shown, *(() if obvious else (Span("  "), span(term.type, "muted"))), *moved)


def _timeouts_node(timeouts: tuple[m.PendingTimeout, ...], postponed: int) -> OutlineNode:
    children = tuple(
        OutlineNode(("timeouts", one.name, str(number)), _timeout_line(one)) for number, one in enumerate(timeouts)
    )
    kept = f"  {plural(postponed, 'event')} postponed" if postponed else ""
    head = (span(plural(len(timeouts), "pending timeout"), "name"), span(kept, "muted"))
    return OutlineNode(("timeouts",), head, children)


def _timeout_line(timeout: m.PendingTimeout) -> Line:
    when = "fires next" if timeout.seconds is None else f"fires in {duration(timeout.seconds)}"
    cancelled = {
        "state": "until the state changes",
        "event": "until the next event",
        "generic": "in any state",
        "message": "a message",
    }
    content = f"  {clip(term_line(timeout.content), MAX_BEFORE)}" if timeout.content is not None else ""
    return (
        span(timeout.name, "strong"),
        span(f"  {when}"),
        span(f"  {cancelled[timeout.scope]}{content}", "muted"),
    )

"""A value from the node, and the difference between two values, as styled lines."""

from __future__ import annotations

from collections.abc import Iterator

from node_runtime.protocol.messages import Term
from node_runtime.protocol.term_text import term_line

from .styled_text import Line, Span, Tone, line, sanitize, span
from .term_diff import Change, diff

_INDENT = "  "
_MARKS: dict[str, Span] = {
    "added": Span("+ ", "ok"),
    "removed": Span("- ", "bad"),
    "changed": Span("~ ", "warn"),
}


def term_lines(term: Term, changed: frozenset[tuple[str, ...]] = frozenset()) -> list[Line]:
    """Return the whole value, a line for each part; the parts at the paths of `changed` are highlighted."""
    return list(_lines(term, None, (), changed))


def _lines(term: Term, label: str | None, path: tuple[str, ...], changed: frozenset[tuple[str, ...]]) -> Iterator[Line]:
    indent = _INDENT * len(path)
    head = (Span(indent), span(label, "name"), Span("  ")) if label is not None else (Span(indent),)
    if term.items:
        yield (*head, span(term.type, "muted"))
    else:
        tone: Tone = "warn" if path in changed else "strong"
        value = term.text or f"empty {term.type}"
        shown = (span(value, tone),) if term.text else (span(value, "muted"),)
        yield (*head, *shown) if _type_is_obvious(term) else (*head, *shown, Span("  "), span(term.type, "muted"))
    for name, part in term.items:
        yield from _lines(part, name, (*path, name), changed)
    if term.cut:
        yield (Span(indent + _INDENT), Span(f"… {term.cut} more left out", "muted"))


def _type_is_obvious(term: Term) -> bool:
    """Return whether the short form of a value implies its type."""
    return term.type in ("int", "str", "bool", "NoneType", "float") or not term.text


def diff_lines(before: Term, after: Term) -> list[Line]:
    """Return a line for each added, removed or changed part, or one line that says that nothing differs."""
    changes = diff(before, after)
    if not changes:
        return [line(span("State unchanged", "muted"))]
    width = max(len(_path(change)) for change in changes)
    return [_change_line(change, min(width, 24)) for change in changes]


def _path(change: Change) -> str:
    return sanitize(".".join(change.path)) or "the state"


def _change_line(change: Change, width: int) -> Line:
    head = (_MARKS[change.kind], Span(_path(change).ljust(width) + "  ", "name"))
    if change.before is None and change.after is not None:
        return (*head, span(term_line(change.after), "ok"))
    if change.after is None and change.before is not None:
        return (*head, span(term_line(change.before), "bad"))
    assert change.before is not None
    assert change.after is not None
    return (*head, span(term_line(change.before), "bad"), Span(" → ", "muted"), span(term_line(change.after), "ok"))

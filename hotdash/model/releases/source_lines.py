"""The source of a module as styled lines, and the difference between two sources."""

from __future__ import annotations

import difflib
import io
import keyword
import tokenize

from hotdash.model.styled_text import Line, Span, Tone, line, span

_DIFF_TONES: dict[str, Tone] = {"+": "ok", "-": "bad", "@": "name", " ": "plain"}


def source_lines(source: str) -> list[Line]:
    """Return the numbered lines of a source; keywords, strings, numbers and comments have tones."""
    tones = _tones(source)
    return [_numbered(number, text, tones.get(number, [])) for number, text in enumerate(source.splitlines(), 1)]


def difference_lines(old: str, current: str) -> list[Line]:
    """Return the difference between two sources with three lines around each change."""
    found = list(difflib.unified_diff(old.splitlines(), current.splitlines(), "old", "current", lineterm=""))
    if not found:
        return [line(span("The two sources are equal.", "muted"))]
    return [line(span(text, _DIFF_TONES.get(text[:1], "plain"))) for text in found[2:]]


def _numbered(number: int, text: str, tones: list[tuple[int, int, Tone]]) -> Line:
    spans: list[Span] = [span(f"{number:5} ", "muted")]
    at = 0
    for start, end, tone in tones:
        spans += [span(text[at:start]), span(text[start:end], tone)]
        at = end
    return (*spans, span(text[at:]))


def _tones(source: str) -> dict[int, list[tuple[int, int, Tone]]]:
    """Return the parts of each line that have a tone, as far as the source can be read as Python."""
    found: dict[int, list[tuple[int, int, Tone]]] = {}
    lines = source.splitlines()
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            tone = _tone(token)
            if tone is None:
                continue
            (first, start), (last, end) = token.start, token.end
            for number in range(first, last + 1):
                width = len(lines[number - 1]) if number <= len(lines) else 0
                part = (start if number == first else 0, end if number == last else width, tone)
                found.setdefault(number, []).append(part)
    except (tokenize.TokenError, SyntaxError):
        pass  # the rest of the source has no tones
    return found


def _tone(token: tokenize.TokenInfo) -> Tone | None:
    if token.type == tokenize.COMMENT:
        return "muted"
    if token.type == tokenize.STRING:
        return "ok"
    if token.type == tokenize.NUMBER:
        return "warn"
    return "name" if token.type == tokenize.NAME and keyword.iskeyword(token.string) else None

"""Text for a screen, with tones instead of colours.

Everything that a node sends passes through `sanitize`: it is never parsed as markup, and none of its control characters
reaches the terminal.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Literal, NamedTuple

from rich.cells import cell_len, chop_cells, set_cell_size

Tone = Literal["plain", "name", "muted", "ok", "warn", "bad", "strong"]

_WORD = re.compile(r" *[^ ]+| +$")
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class Span(NamedTuple):
    """Some text in one tone."""

    text: str
    tone: Tone = "plain"


Line = tuple[Span, ...]


def sanitize(text: str) -> str:
    r"""Return `text` with control and format characters escaped: an ESC becomes `\x1b`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(c) if unicodedata.category(c) in _UNSAFE else c for c in text)


def span(text: str, tone: Tone = "plain") -> Span:
    """Return a span of sanitized text."""
    return Span(sanitize(text), tone)


def line(*parts: str | Span) -> Line:
    """Return a line of spans; a bare string is in the plain tone."""
    return tuple(span(part) if isinstance(part, str) else part for part in parts)


def text_of(spans: Line) -> str:
    """Return the characters of a line."""
    return "".join(span.text for span in spans)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def width_of(spans: Line) -> int:
    """Return the width of a line in cells."""
    return sum(cell_len(span.text) for span in spans)


def cut(spans: Line, width: int) -> Line:
    """Return a line in at most `width` cells; a longer line ends in an ellipsis."""
    if width_of(spans) <= width:
        return spans
    kept: list[Span] = []
    left = max(width - 1, 0)
    for part in spans:
        cells = cell_len(part.text)
        if cells > left:
            break
        kept.append(part)
        left -= cells
    return (*kept, Span(set_cell_size(part.text, left) + "…" * (width > 0), part.tone))


def wrap(spans: Line, width: int, hang: int | None = None) -> list[Line]:
    """Return a line folded at words to at most `width` cells.

    Continuation lines start at the column `hang`, or two cells deeper than the line itself.
    """
    if width_of(spans) <= width or width < 8:
        return [spans]
    text = text_of(spans)
    indent = min(len(text) - len(text.lstrip()) + 2 if hang is None else hang, width // 2)
    folded: list[Line] = []
    current: list[Span] = []
    used = 0
    for word in _words(spans, width - indent):
        if used + width_of(word) > width and current:
            folded.append(tuple(current))
            # The fold replaces the blanks before the word.
            word = (Span(word[0].text.lstrip(" "), word[0].tone), *word[1:])  # noqa: PLW2901
            current, used = [Span(" " * indent)], indent
        current += word
        used += width_of(word)
    return [*folded, tuple(current)]


def _words(spans: Line, longest: int) -> Iterator[Line]:
    """Yield each word with the blanks before it, in pieces of at most `longest` cells.

    A word may extend over several spans. A no-break space does not end a word.
    """
    word: list[Span] = []
    for span in spans:
        for text in _WORD.findall(span.text):
            if word and (text.startswith(" ") or word[-1].text.endswith(" ")):
                yield tuple(word)
                word = []
            word.append(Span(text, span.tone))
            if width_of(tuple(word)) > longest:
                yield from ((Span(piece, span.tone),) for part in word for piece in chop_cells(part.text, longest))
                word = []
    if word:
        yield tuple(word)

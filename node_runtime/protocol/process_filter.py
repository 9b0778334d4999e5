"""The filter expressions of process queries: `state:lime module:fil.* mail>10 !kind:task`.

A term is a word, `field:text`, or a comparison of a number; `!` before a term inverts it. A process matches if all
terms match. A word matches if one of the fields in WORD_FIELDS contains the word. In a text, `*` matches any
characters, and `?` matches one character. A text with `*` or `?` has to match the whole field; any other text has to
match a part of the field. Upper and lower case are equal. There are no regular expressions, because a regular
expression could keep the node busy for ever.
"""

from __future__ import annotations

import math
import re
import shlex
from functools import lru_cache
from typing import Final

import msgspec

from .clip import MAX_SHOWN_NAME, clip
from .exit_codes import ExitCode, Refused

TEXT_FIELDS: Final = (
    "pid", "name", "kind", "module", "application", "state", "status", "callback", "id", "arguments", "vsn",
)  # fmt: skip
NUMBER_FIELDS: Final = ("mail", "messages", "rate", "busy", "restarts", "up")
WORD_FIELDS: Final = ("name", "id", "module", "kind", "state", "status", "pid", "application")
"""The fields in which a word without a field is searched. Reading them costs little."""
_SHORT: Final = {"app": "application", "args": "arguments", "mailbox": "mail"}
MAX_FILTER_LENGTH: Final = 200
MAX_TERMS: Final = 16
MAX_COMPARED: Final = 256
"""The number of characters of a field that are compared."""
_TERM: Final = re.compile(r"([a-z_]+)(:|>=|<=|>|<|=)(.*)", re.DOTALL)


class FilterTerm(msgspec.Struct, frozen=True):
    """One term of a filter: a `field` ("" for any field), an operator (":" for text), and the value to compare.

    The value is a number, or a text in lower case.
    """

    field: str
    operator: str
    text: str
    number: float = 0.0
    negated: bool = False

    def accepts_text(self, value: str) -> bool:
        """Return whether the term matches `value`, the text of a field."""
        return text_matches(self.text, value[:MAX_COMPARED].lower())

    def accepts_number(self, value: float) -> bool:
        """Return whether the term matches `value`, the number of a field."""
        match self.operator:
            case ">":
                return value > self.number
            case "<":
                return value < self.number
            case ">=":
                return value >= self.number
            case "<=":
                return value <= self.number
            case _:
                return value == self.number


def parse_filter(text: str) -> tuple[FilterTerm, ...]:
    """Return the terms of a filter. Raises Refused (USAGE) with a sentence that names the wrong term."""
    if len(text) > MAX_FILTER_LENGTH:
        raise Refused(f"The filter has {len(text)} characters (limit {MAX_FILTER_LENGTH}); shorten it.", ExitCode.USAGE)
    words = _words(text)
    if len(words) > MAX_TERMS:
        raise Refused(f"The filter has {len(words)} terms (limit {MAX_TERMS}); leave some out.", ExitCode.USAGE)
    return tuple(_term(word) for word in words)


def _words(text: str) -> list[str]:
    """Return the words between blanks; a quoted text is one word. A quote that isn't closed counts as a character."""
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
    lexer.quotes = '"'
    try:
        return list(lexer)
    except ValueError:
        return text.split()


def _term(word: str) -> FilterTerm:
    negated = word.startswith("!") and len(word) > 1
    bare = word[1:] if negated else word
    found = _TERM.fullmatch(bare)
    field = "" if found is None else _SHORT.get(found[1], found[1])
    if found is None or field not in (*TEXT_FIELDS, *NUMBER_FIELDS):
        if found is not None and found[2] == ":" and not found[3].startswith(":") and "." not in bare:
            raise _unknown_field(found[1])
        return FilterTerm("", ":", bare.lower(), negated=negated)
    if field in NUMBER_FIELDS:
        return FilterTerm(field, found[2], "", _number(field, found[3]), negated)
    if found[2] not in (":", "="):
        raise Refused(
            f"The field {field!r} is a text, so it can't be compared by {found[2]}; write {field}:TEXT.", ExitCode.USAGE
        )
    return FilterTerm(field, ":", found[3].strip("<>").lower() if field == "pid" else found[3].lower(), 0.0, negated)


def _unknown_field(name: str) -> Refused:
    fields = ", ".join((*TEXT_FIELDS, *NUMBER_FIELDS))
    return Refused(f"There is no field {clip(name, MAX_SHOWN_NAME)!r} to filter by; use {fields}.", ExitCode.USAGE)


def _number(field: str, text: str) -> float:
    try:
        number = float(text.rstrip("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        shown = clip(text, MAX_SHOWN_NAME)
        raise Refused(f"{field} is a number, but {shown!r} is not; write for example {field}>10.", ExitCode.USAGE)
    return number


def text_matches(pattern: str, text: str) -> bool:
    """Return whether a text contains a pattern, or matches it as a whole if the pattern has `*` or `?`.

    The time is bounded by the product of the two lengths, whatever the pattern.
    """
    if "*" not in pattern and "?" not in pattern:
        return pattern in text
    return _glob_matches(pattern, text)


def _glob_matches(pattern: str, text: str) -> bool:
    """Return whether a text matches a pattern with `*` or `?`.

    Each part is matched at its leftmost place, without backtracking. This is correct, because every part has a fixed
    length.
    """
    first, *others = _parts(pattern)
    begins = first.match(text)
    if begins is None:
        return False
    if not others:
        return begins.end() == len(text)
    at = begins.end()
    *middle, last = others
    for part in middle:
        found = part.search(text, at)
        if found is None:
            return False
        at = found.end()
    start_of_last = len(text) - len(pattern.rpartition("*")[2])
    return start_of_last >= at and last.match(text, start_of_last) is not None


@lru_cache(maxsize=1024)
def _parts(pattern: str) -> tuple[re.Pattern[str], ...]:
    """Return the parts of a pattern between its stars. In a part, `?` matches one character, and nothing repeats."""
    return tuple(
        re.compile("".join("." if one == "?" else re.escape(one) for one in part), re.DOTALL)
        for part in pattern.split("*")
    )

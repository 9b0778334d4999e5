"""Finds secrets by the names beside them: `password=…`, `"token": …`, `Cookie: …`, `('authorization', …)`.

Every pattern is possessive: it never gives back what it has matched. So the time is proportional to the length of the
text, even for a text that an attacker has chosen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from .known_secrets import Span
from .secret_names import Secrecy, is_secret_header, is_secret_name, secrecy_of

REDACTED: Final = "‹redacted›"
"""The text that replaces a secret."""
CHANGED: Final = "‹redacted, changed›"
"""The text that replaces a secret, if a comparison shows that the secret has changed."""
_REDACTED: Final = re.compile(f"{REDACTED}|{CHANGED}")

_NAMED: Final = re.compile(r"(?<![\w.\-])([\w.\-]++)(\\{0,7}+['\"]?\]?+)([ \t]{0,4}+)(=>|->|→|:=|==?|:(?!//))([ \t]*+)")
"""A name, perhaps a quote and a bracket, and a separator. The quote may be escaped, as in JSON inside a string."""
_PAIR: Final = re.compile(r"[(\[]\s{0,4}+[bru]?(['\"])([\w.\-]{1,100}+)\1\s{0,4}+,\s{0,4}+(?=[bru]?['\"])", re.ASCII)
"""The beginning of a pair of quoted texts, such as a header in a list."""
_PAIR_END: Final = re.compile(r"['\"]\s{0,4}+,?\s{0,4}+[)\]]")
_OPTION: Final = re.compile(r"(?<![\w\-])--?([A-Za-z][\w\-]*+)(['\"]?,?)[ \t]++(?!-)", re.ASCII)
"""An option, in a command line or in a list of arguments."""
_ELEMENT: Final = re.compile(r"<([\w.\-]++)(?:\s[^<>]{0,200}+)?>(?>(?:<!\[CDATA\[)?)([^<]++)</", re.ASCII)
_SPOKEN: Final = re.compile(
    r"\b(?:password|passwd|passphrase|passcode|pwd|pw|mot de passe|(?:api|access|secret)[ _\-]?key|secret|token"
    r"|credentials?|jwt|cookie)s?"
    r"(?:[ \t]*+:[ \t]++|[ \t]++|[ \t]*+:?[ \t]*+\r?\n[ \t]*+)"
    r"(?>(?:(?:provided|given|received|supplied|sent|mismatch|expected|got)[ \t]*+[:,]?+[ \t]*+){0,3})"
    r"((?:is|was|are|were)[ \t]++|(?:for|of)[ \t]++[^\s:]{1,100}+"
    r"(?:[ \t]*+[:=][ \t]*+|[ \t]++(?:is|was|are|were)[ \t]++|[ \t]++(?=[(\[])))?[(\[]?(?=(['\"])|[^\s,;]{6})",
    re.IGNORECASE,
)
"""The words before a secret in sentences such as "wrong password 'x'", "the token abc123 has expired" or "Incorrect API
key provided: abc123".

The words may also end a line, if the secret begins the next line.
"""
_VARIABLE: Final = re.compile(
    r"(?<![\w.\-])([A-Za-z][A-Za-z0-9]*+(?>(?:_[A-Za-z0-9]++)+)|_?[a-z]++[A-Z]\w*+)[ \t]++(?=[^\s=:,;]{6})", re.ASCII
)
"""A name of several words, such as an environment variable's, then a blank, before a value."""
_SPOKEN_VALUE: Final = re.compile(r"(?=[^\s,;]{0,80}[0-9])(?=[^\s,;]{0,80}[A-Za-z])[^\s,;]++")
MIN_SPOKEN_LENGTH: Final = 4
"""A secret after a word such as `password`, without a separator, has at least this many characters."""

_QUOTE: Final = re.compile(r"[A-Za-z]{0,2}+(['\"])")
_ESCAPED_QUOTE: Final = re.compile(r"[A-Za-z]{0,2}+(\\{1,7}+['\"])")
_NEXT_LINE: Final = re.compile(r"[ \t]*+\r?\n[ \t]{0,100}+(?=[A-Za-z]{0,2}+['\"])")
"""The end of a line before a quoted value: `pprint` writes long values on a new line."""
_BLOCK: Final = re.compile(r"[|>][+\-]?[ \t]*+\r?\n[ \t]++([^\n]*+(?>(?:\n[ \t]++[^\n]*+)*))")
"""A block of lines in YAML: the lines that are indented."""
_IN_ANGLES: Final = re.compile(r"<[^<>\n]{1,500}+>")
_QUOTED: Final = {
    "'": re.compile(r"[^'\\]*+(?>(?:\\.[^'\\]*+)*)(?=')", re.DOTALL),
    '"': re.compile(r'[^"\\]*+(?>(?:\\.[^"\\]*+)*)(?=")', re.DOTALL),
}
_OPENING: Final = re.compile(r"[\w.]*+[\[({]", re.ASCII)
"""The beginning of a container, or of an object's repr."""
_BRACKET: Final = re.compile(
    r"'[^'\\\n]*+(?>(?:\\.[^'\\\n]*+)*)'|\"[^\"\\\n]*+(?>(?:\\.[^\"\\\n]*+)*)\"|([\[({])|([\])}])"
)
_WORD: Final = re.compile(r"\S*+")
_NEXT_NAME: Final = re.compile(r"[&;,](?=[\w.\-]{1,64}+=)", re.ASCII)
"""The separator between a value and the next name, in a text such as `a=1&b=2` or `a=1,b=2`."""
_CLAUSE: Final = re.compile(r"[^\n\r;,]++(?>(?:[;,](?! )[^\n\r;,]++)*)")
"""A value after a colon: up to the end of the line, or to a comma or semicolon before a blank."""
_HEADER_LINE: Final = re.compile(r"(?>(?:[^\n\r\\'\"]|\\(?![rn]))+)")
_OPEN_VALUE: Final = re.compile(r"(?:None|null|nil|True|False|true|false)\b")
_NUMBER: Final = re.compile(r"[+\-]?[0-9][0-9_]*+(?:\.[0-9]*+)?(?![\w.])", re.ASCII)
_REFERENCE: Final = re.compile(r"[A-Za-z_][A-Za-z_0-9.]*+", re.ASCII)
_TRAILING: Final = ".,;:)]}>\"'"
_HEADERS: Final = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})
_CODE: Final = re.compile(r"(?=[^\s&#]{0,40}[0-9])(?=[^\s&#]{0,40}[A-Za-z])[^\s&#]{8}")
"""The beginning of an OAuth code, for which a client gets a token."""
_SIGNATURES: Final = frozenset({"sig", "signature", "x-amz-signature", "x-goog-signature"})


def named_values(text: str) -> Iterator[Span]:
    """Yield the values that follow a secret's name and `=`, `:` or `=>`."""
    return _spans(_NAMED, text, _named_value)


def paired_values(text: str) -> Iterator[Span]:
    """Yield the second text of each pair of quoted texts if the first one is a secret's name."""
    return _spans(_PAIR, text, _paired_value)


def option_values(text: str) -> Iterator[Span]:
    """Yield the arguments that follow an option named like a secret, such as `--password`, in a command line."""
    return _spans(_OPTION, text, _option_value)


def element_texts(text: str) -> Iterator[Span]:
    """Yield the texts of XML elements whose tag is the name of a secret: `<password>…`."""
    return _spans(_ELEMENT, text, lambda text, found: found.span(2) if is_secret_name(found[1]) else None)


def spoken_values(text: str) -> Iterator[Span]:
    """Yield the text after a word such as `password` in a sentence, if it is quoted or has letters and digits."""
    return _spans(_SPOKEN, text, _spoken_value)


def variable_values(text: str) -> Iterator[Span]:
    """Yield each value that follows a name such as DB_PASSWORD and a blank, and that has both letters and digits."""
    return _spans(_VARIABLE, text, lambda text, found: _spoken_word(text, found) if is_secret_name(found[1]) else None)


FINDERS: Final[tuple[Callable[[str], Iterator[Span]], ...]] = (
    named_values, paired_values, option_values, element_texts, spoken_values, variable_values,
)  # fmt: skip


def _spans(pattern: re.Pattern[str], text: str, value: Callable[[str, re.Match[str]], Span | None]) -> Iterator[Span]:
    """Call `value` for each match of `pattern`, and yield the spans that it returns, in linear time."""
    at = 0
    while (found := pattern.search(text, at)) is not None:
        at = found.end()
        span = value(text, found)
        if span is not None:
            yield span
            at = max(at, span[1])


def _named_value(text: str, found: re.Match[str]) -> Span | None:
    name, separator, blanks = found[1].rpartition(".")[2], found[4], found[5]
    secrecy = secrecy_of(name)
    if secrecy is Secrecy.OPEN:
        if text[max(0, found.start(1) - 1)] not in "?&":
            return None
        if name.lower() not in _SIGNATURES and not (name == "code" and _CODE.match(text, found.end())):
            return None
    elif separator == ":" and not blanks and "." in found[1] and _REFERENCE.match(text, found.end()):
        return None  # module:function
    elif name in ("key", "keys") and separator == ":" and not found[2]:
        return None  # "missing key: name" in a sentence
    if secrecy is Secrecy.NO_NUMBERS and _NUMBER.match(text, found.end()):
        return None
    return _value(text, found.end(), name.lower(), separator)


def _paired_value(text: str, found: re.Match[str]) -> Span | None:
    span = quoted(text, found.end()) if is_secret_header(found[2]) else None
    if span is None or not (_PAIR_END.match(text, span[1]) or span[1] == len(text)):
        return None
    return span


def _option_value(text: str, found: re.Match[str]) -> Span | None:
    if len(found[1]) == 1 or not is_secret_name(found[1]):
        return None
    return quoted(text, found.end()) or _word(text, found.end())


def _spoken_value(text: str, found: re.Match[str]) -> Span | None:
    span = (quoted(text, found.end()) if found[2] else None) or _spoken_word(text, found)
    shortest = 1 if found[1] else MIN_SPOKEN_LENGTH  # after "is" or a colon, a value must follow
    return span if span is not None and span[1] - span[0] >= shortest else None


def _spoken_word(text: str, found: re.Match[str]) -> Span | None:
    word = _SPOKEN_VALUE.match(text, found.end())
    return None if word is None else (word.start(), word.start() + len(word.group().rstrip(_TRAILING)))


def _value(text: str, begin: int, name: str, separator: str) -> Span | None:
    """Return the span of the value at `begin`; None if the value is empty, redacted, or a word such as None or true."""
    if _REDACTED.match(text, begin) or _OPEN_VALUE.match(text, begin):
        return None
    if separator in (":", "=") and (next_line := _NEXT_LINE.match(text, begin)) is not None:
        begin = next_line.end()
    span = quoted(text, begin)
    if span is None and (block := _BLOCK.match(text, begin)) is not None:
        span = block.span(1)
    if span is None and (angles := _IN_ANGLES.match(text, begin)) is not None:
        span = angles.start() + 1, angles.end() - 1
    if span is not None:
        return None if _REDACTED.fullmatch(text, *span) else span
    if _OPENING.match(text, begin):
        return begin, end_of_brackets(text, begin)
    if name in _HEADERS:
        found = _HEADER_LINE.match(text, begin)
        span = (begin, begin) if found is None else found.span()
    elif separator == ":" or "phrase" in name or "mnemonic" in name:
        found = _CLAUSE.match(text, begin)
        span = (begin, begin) if found is None else found.span()
    else:
        span = _word(text, begin)
    end = begin + len(text[slice(*span)].rstrip(_TRAILING + " \t"))
    return (begin, end) if end > begin else None


def quoted(text: str, begin: int) -> Span | None:
    """Return the span between the quotes that open at `begin`; None without a quote at `begin`.

    Without a closing quote, the span extends to the end of the text.
    """
    opening = _QUOTE.match(text, begin)
    if opening is None:
        escaped = _ESCAPED_QUOTE.match(text, begin)
        if escaped is None:
            return None
        end = text.find(escaped[1], escaped.end())
        return escaped.end(), len(text) if end < 0 else end
    found = _QUOTED[opening[1]].match(text, opening.end())
    return (opening.end(), len(text) if found is None else found.end())


def end_of_brackets(text: str, begin: int) -> int:
    """Return the end of the container or object that begins at `begin`; the end of the text if no bracket closes it."""
    depth = 0
    for found in _BRACKET.finditer(text, begin):
        depth += (found[1] is not None) - (found[2] is not None)
        if depth <= 0 and found[2] is not None:
            return found.end()
    return len(text)


def _word(text: str, begin: int) -> Span:
    found = _WORD.match(text, begin)
    end = begin if found is None else found.end()
    following = _NEXT_NAME.search(text, begin, end)
    return begin, end if following is None else following.start()

"""The versions that an entry of an appup covers: one version, a pattern with `*` and `?`, or a range.

An appup may come from a malicious tarball. So there are no regular expressions, and the time of a match is at most
proportional to the product of two short lengths. Versions have an order only in ranges.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import groupby, zip_longest
from typing import Any, Final

MAX_PATTERN_CHARACTERS: Final = 256
"""Greatest length of a pattern or a range."""

PATTERN_KINDS: Final = 'a version, a pattern such as "0.1.*", or a range such as ">=0.1, <0.3"'
"""The description of a pattern, for error messages."""

_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_VERSION_CHARACTERS: Final = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.+-")


def is_version_pattern(text: str) -> bool:
    """Return whether `text` is a version, a pattern such as "0.1.*", or a range such as ">=0.1, <0.3"."""
    if not 0 < len(text) <= MAX_PATTERN_CHARACTERS:
        return False
    if text[0] in "<>":
        return all(set(version) <= _VERSION_CHARACTERS and version[:1].isalnum() for _, version in _bounds(text))
    return set(text) <= _VERSION_CHARACTERS | {"*", "?"} and (text[0].isalnum() or text[0] in "*?")


def matches_version(pattern: str, vsn: str) -> bool:
    """Return whether `pattern` describes the whole version `vsn`."""
    if pattern[:1] in ("<", ">"):
        return all(
            _OPERATORS[sign](version_key(vsn, bound), version_key(bound, vsn)) for sign, bound in _bounds(pattern)
        )
    return _matches_glob(pattern, vsn)


def version_key(vsn: str, other: str) -> list[tuple[int, int | str]]:
    """Return a key by which `vsn` can be compared with `other`.

    A version consists of numbers and words; other characters only separate them. Everything after a "+" is ignored.
    Numbers are compared as numbers, words alphabetically; a word is less than a number, and a missing part is 0. So
    1.0-rc1 < 1.0 = 1.0.0 < 1.0.1 < 1.10.
    """
    return [own for own, _ in zip_longest(_parts(vsn), _parts(other), fillvalue=(1, 0))]


def _parts(vsn: str) -> list[tuple[int, int | str]]:
    runs = ("".join(run) for _, run in groupby(vsn.partition("+")[0], _character_kind))
    return [(1, int(run)) if run.isdigit() else (0, run) for run in runs if run.isalnum()]


def _character_kind(character: str) -> str:
    if character.isdigit():
        return "number"
    return "word" if character.isalpha() else "separator"


def _bounds(text: str) -> list[tuple[str, str]]:
    """Return the operator and the version of each condition in a range.

    After an unknown operator, the version is "".
    """
    bounds = []
    for condition in text.split(","):
        stripped = condition.strip(" ")
        sign = next((sign for sign in _OPERATORS if stripped.startswith(sign)), None)
        bounds.append((">=", "") if sign is None else (sign, stripped.removeprefix(sign).strip(" ")))
    return bounds


def _matches_glob(pattern: str, text: str) -> bool:
    """Return whether `text` matches `pattern`: `*` is any number of characters, `?` is one.

    After a mismatch, only the last `*` is extended: extending an earlier one could not succeed either.
    """
    at = place = 0
    star, resumed = -1, 0
    while at < len(text):
        if place < len(pattern) and pattern[place] == "*":
            star, resumed = place, at
            place += 1
        elif place < len(pattern) and pattern[place] in ("?", text[at]):
            at, place = at + 1, place + 1
        elif star >= 0:
            resumed += 1
            at, place = resumed, star + 1
        else:
            return False
    return not pattern[place:].strip("*")


def glob_for_regex(regex: str) -> str | None:
    """Return the pattern that replaces a regular expression of an older appup; None for one that is not simple."""
    rest = regex.removeprefix("^").removesuffix("\\Z").removesuffix("$")
    pattern = ""
    while rest:
        token, is_any = _regex_token(rest)
        if token == "":
            return None
        rest = rest[len(token) :]
        if is_any:
            repeated = rest[:1] in ("*", "+")
            pattern += "*" if repeated else "?"
            rest = rest[1:] if repeated else rest
        else:
            pattern += token[-1]
        if rest[:1] and rest[0] in "*+?{":
            return None
    return pattern if is_version_pattern(pattern) else None


def _regex_token(rest: str) -> tuple[str, bool]:
    """Return the first token of a regular expression, and whether this token is a wildcard.

    The token is "" if it is unknown.
    """
    for known in (".", r"\d", r"\w", r"\S", "[0-9]", "[^.]", r"[^\.]", "[a-z]", "[0-9a-z]", "[a-z0-9]"):
        if rest.startswith(known):
            return known, True
    if rest[0] == "\\":
        return (rest[:2], False) if len(rest) > 1 and not rest[1].isalnum() else ("", False)
    return (rest[0], False) if rest[0] in _VERSION_CHARACTERS else ("", False)

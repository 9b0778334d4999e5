"""On which line of a TOML file each of its values stands. `tomllib` says what a file means, not where."""

from __future__ import annotations

import re
from typing import TypeAlias

Place: TypeAlias = tuple[str | int, ...]
"""Where a value is: keys of tables and numbers in arrays, from the top of the file."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'', re.DOTALL)
_SCALAR = re.compile(r"\d{4}-\d\d-\d\d \d\d:[^\s,\]}#]+|[^\s,\]}#]+")
_KEY = re.compile(r'[ \t]*(?:(?P<bare>[A-Za-z0-9_-]+)|"(?P<basic>(?:\\.|[^"\\])*)"|\'(?P<literal>[^\']*)\')[ \t]*')


def line_of(text: str, place: Place) -> int:
    """The line, from 1, of the value at `place` in valid TOML; if there is none, of what it would stand in."""
    found = _Scanner(text).lines()
    while place and place not in found:
        place = place[:-1]
    return found.get(place, 1)


class _Scanner:
    """Goes once through a text that tomllib has taken, and remembers where each value begins."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._lines: dict[Place, int] = {}
        self._tables: dict[Place, int] = {}

    def lines(self) -> dict[Place, int]:
        base: Place = ()
        self._skip()
        while self._at < len(self._text):
            if self._next("[["):
                base = self._inside(self._key())
                self._tables[base] = self._tables.get(base, -1) + 1
                base = (*base, self._tables[base])
                self._lines[base] = self._line()
            elif self._next("["):
                base = self._inside(self._key())
                self._lines.setdefault(base, self._line())
            else:
                self._pair(base)
            while self._next("]"):
                pass
            self._skip()
        return self._lines

    def _inside(self, place: Place) -> Place:
        """The place that a table's header means: of an array of tables, the newest one."""
        whole: Place = ()
        for part in place[:-1]:
            whole = (*whole, part)
            if whole in self._tables:
                whole = (*whole, self._tables[whole])
        return (*whole, place[-1])

    def _pair(self, base: Place) -> None:
        line, place = self._line(), base
        for part in self._key():
            place = (*place, part)
            self._lines.setdefault(place, line)
        self._next("=")
        self._skip()
        self._value(place)

    def _value(self, place: Place) -> None:
        self._lines[place] = self._line()
        if self._next("["):
            self._skip()
            number = 0
            while not self._next("]"):
                self._value((*place, number))
                number += 1
                self._between()
        elif self._next("{"):
            self._skip()
            while not self._next("}"):
                self._pair(place)
                self._between()
        elif match := _STRING.match(self._text, self._at) or _SCALAR.match(self._text, self._at):
            self._at = match.end()

    def _between(self) -> None:
        self._skip()
        self._next(",")
        self._skip()

    def _key(self) -> Place:
        parts: list[str] = []
        while match := _KEY.match(self._text, self._at):
            self._at = match.end()
            parts.append(match["bare"] or match["basic"] or match["literal"] or "")
            if not self._next("."):
                break
        return tuple(parts)

    def _next(self, word: str) -> bool:
        if self._text.startswith(word, self._at):
            self._at += len(word)
            return True
        return False

    def _skip(self) -> None:
        match = _BLANK.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _line(self) -> int:
        return self._text.count("\n", 0, self._at) + 1

"""Line numbers of the values in a TOML file, which `tomllib` does not report."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TypeAlias

TomlPath: TypeAlias = tuple[str | int, ...]
"""The path to a value: keys of tables and indices of arrays, from the top of the file."""

MAX_KEY_PARTS = 60
"""The maximum number of parts of a dotted key that are read. A file with a longer key is refused for its depth."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'', re.DOTALL)
_SCALAR = re.compile(r"\d{4}-\d\d-\d\d \d\d:[^\s,\]}#]+|[^\s,\]}#]+")
_KEY = re.compile(r'[ \t]*(?:(?P<bare>[A-Za-z0-9_-]+)|"(?P<basic>(?:\\.|[^"\\])*)"|\'(?P<literal>[^\']*)\')[ \t]*')


def line_of(text: str, key_path: TomlPath) -> int:
    """Return the line number, from 1, of the value at `key_path` in `text`, which is valid TOML.

    If there is no such value, return the line number of the enclosing value.
    """
    found = _lines(text)
    while key_path and key_path not in found:
        key_path = key_path[:-1]
    return found.get(key_path, 1)


@lru_cache(maxsize=2)
def _lines(text: str) -> dict[TomlPath, int]:
    """Return the line of each value in a TOML file. Cached, because each check of an appup instruction needs a line."""
    return _Scanner(text).lines()


class _Scanner:
    """Scans a text that tomllib has accepted, and records the line of each value."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._offset = 0
        self._counted = (0, 1)  # an offset, and the line there
        self._lines: dict[TomlPath, int] = {}
        self._last_index: dict[TomlPath, int] = {}

    def lines(self) -> dict[TomlPath, int]:
        base: TomlPath = ()
        self._skip_blank()
        while self._offset < len(self._text):
            if self._accept("[["):
                base = self._resolve(self._key())
                self._last_index[base] = self._last_index.get(base, -1) + 1
                base = (*base, self._last_index[base])
                self._lines[base] = self._line()
            elif self._accept("["):
                base = self._resolve(self._key())
                self._lines.setdefault(base, self._line())
            else:
                self._pair(base)
            while self._accept("]"):
                pass
            self._skip_blank()
        return self._lines

    def _resolve(self, key_path: TomlPath) -> TomlPath:
        """Return the key path of a header with the indices of arrays: ("apps", 1, "env") for `[apps.env]`."""
        resolved: TomlPath = ()
        for part in key_path[:-1]:
            resolved = (*resolved, part)
            if resolved in self._last_index:
                resolved = (*resolved, self._last_index[resolved])
        return (*resolved, key_path[-1])

    def _pair(self, base: TomlPath) -> None:
        line, key_path = self._line(), base
        for part in self._key():
            key_path = (*key_path, part)
            self._lines.setdefault(key_path, line)
        self._accept("=")
        self._skip_blank()
        self._value(key_path)

    def _value(self, key_path: TomlPath) -> None:
        self._lines[key_path] = self._line()
        if self._accept("["):
            self._skip_blank()
            number = 0
            while not self._accept("]"):
                self._value((*key_path, number))
                number += 1
                self._skip_comma()
        elif self._accept("{"):
            self._skip_blank()
            while not self._accept("}"):
                self._pair(key_path)
                self._skip_comma()
        elif match := _STRING.match(self._text, self._offset) or _SCALAR.match(self._text, self._offset):
            self._offset = match.end()

    def _skip_comma(self) -> None:
        self._skip_blank()
        self._accept(",")
        self._skip_blank()

    def _key(self) -> TomlPath:
        parts: list[str] = []
        while match := _KEY.match(self._text, self._offset):
            self._offset = match.end()
            parts.append(match["bare"] or match["basic"] or match["literal"] or "")
            if not self._accept("."):
                break
        return tuple(parts[:MAX_KEY_PARTS])

    def _accept(self, word: str) -> bool:
        if self._text.startswith(word, self._offset):
            self._offset += len(word)
            return True
        return False

    def _skip_blank(self) -> None:
        match = _BLANK.match(self._text, self._offset)
        self._offset = match.end() if match else self._offset

    def _line(self) -> int:
        offset, line = self._counted
        self._counted = self._offset, line + self._text.count("\n", offset, self._offset)
        return self._counted[1]

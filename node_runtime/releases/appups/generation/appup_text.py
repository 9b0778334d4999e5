"""The text of an appup.toml: its entries as blocks of lines, so that hand-written parts stay as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Direction
from node_runtime.releases.appups.check.appup_file import DIRECTIONS
from node_runtime.releases.appups.sources.release_source import AppupPlace
from node_runtime.releases.files.toml_reading.toml_file import read_table, read_text
from node_runtime.releases.files.toml_reading.toml_positions import line_of

from .draft import DraftStep, toml_value

_VSN = re.compile(r'^\s*vsn\s*=\s*(".*?"|\'.*?\')')
_TRAILING = re.compile(r"\}\s*,?\s*(#.*)$")


@dataclass(slots=True)
class EntryText:
    """An entry of an appup as lines, with its instructions.

    `first` and `last` are the numbers of its first and last line.
    """

    direction: Direction
    versions: str
    lines: list[str]
    first: int = 0
    last: int = 0
    steps: list[DraftStep] = field(default_factory=list)

    @property
    def comments(self) -> list[str]:
        """The comment lines above the entry."""
        return [line for line in self.lines[: self._header] if line.strip()]

    @property
    def _header(self) -> int:
        return next((number for number, line in enumerate(self.lines) if line.lstrip().startswith("[[")), 0)


@dataclass(slots=True)
class AppupText:
    """An appup as text: the lines above the first entry, and the entries."""

    head: list[str]
    entries: list[EntryText]

    def text(self) -> str:
        """Return the text of the file. Between two entries is one blank line."""
        blocks = ["\n".join(self.head).strip("\n"), *("\n".join(entry.lines).strip("\n") for entry in self.entries)]
        return "\n\n".join(block for block in blocks if block) + "\n"

    def set_vsn(self, vsn: str) -> None:
        """Set the appup's version, which is in the lines above the first entry."""
        for number, line in enumerate(self.head):
            if match := _VSN.match(line):
                self.head[number] = line[: match.start(1)] + f'"{vsn}"' + line[match.end(1) :]
                return
        self.head.append(f'vsn = "{vsn}"')


def read_appup_text(place: AppupPlace) -> AppupText:
    """Read an appup; if the file is missing, the result has no entries.

    Raises `Refused` if an entry is not written as `[[up]]` or `[[down]]`.
    """
    if not place.path.exists():
        return AppupText([], [])
    table, text = read_table(place.path), read_text(place.path)
    lines = text.split("\n")
    entries: list[EntryText] = []
    for direction, key in DIRECTIONS.items():
        for number, entry in enumerate(table.get(direction, [])):
            line = line_of(text, (direction, number))
            if not lines[line - 1].lstrip().startswith("[["):
                raise Refused(f"{place.shown}, line {line}: write this entry as [[{direction}]], on lines of its own.")
            found = EntryText(direction, str(entry.get(key, "")), [], first=_with_comments(lines, line))
            tables = entry.get("instructions", [])
            numbers = [line_of(text, (direction, number, "instructions", index)) for index in range(len(tables))]
            found.steps = _steps(lines, tables, numbers)
            entries.append(found)
    entries.sort(key=lambda entry: entry.first)
    ends = [entry.first for entry in entries[1:]] + [len(lines) + 1]
    for entry, end in zip(entries, ends, strict=True):
        entry.lines, entry.last = lines[entry.first - 1 : end - 1], end - 1
    return AppupText(lines[: entries[0].first - 1] if entries else lines, entries)


def _with_comments(lines: list[str], line: int) -> int:
    """Return the number of the first of the comment lines directly above `line`; `line` if there are none."""
    while line > 2 and lines[line - 2].lstrip().startswith("#"):
        line -= 1
    return line


def _steps(lines: list[str], tables: Iterable[Mapping[str, Any]], numbers: list[int]) -> list[DraftStep]:
    steps = []
    for index, (table, number) in enumerate(zip(tables, numbers, strict=True)):
        first = _with_comments(lines, number)
        above = lines[first - 1 : number - 1] if numbers.count(number) == 1 else []
        is_last = index + 1 == len(numbers) or numbers[index + 1] != number
        match = _TRAILING.search(lines[number - 1]) if is_last else None
        steps.append(DraftStep(table, tuple(line.strip() for line in above), match[1] if match else ""))
    return steps


def entry_lines(direction: Direction, vsn: str, steps: list[DraftStep], comments: Iterable[str] = ()) -> list[str]:
    """Return the lines of an entry."""
    lines = [*comments, f"[[{direction}]]", f'{DIRECTIONS[direction]} = "{vsn}"']
    if not steps:
        return [*lines, "instructions = []"]
    lines.append("instructions = [")
    for step in steps:
        lines += [f"  {comment}" for comment in step.comments]
        lines.append(f"  {toml_value(step.table)}," + (f"  {step.trailing}" if step.trailing else ""))
    return [*lines, "]"]

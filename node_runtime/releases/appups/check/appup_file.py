"""Reads an appup.toml: its entries, the line of each instruction, and all its mistakes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Direction
from node_runtime.releases.appups.sources.release_source import AppupPlace
from node_runtime.releases.files.appup_instructions import QUESTION, AppupInstruction, parse_instruction
from node_runtime.releases.files.release_model import AppupEntry
from node_runtime.releases.files.schemas import read_appup
from node_runtime.releases.files.toml_reading.toml_file import read_table, read_text
from node_runtime.releases.files.toml_reading.toml_positions import TomlPath, line_of
from node_runtime.releases.files.version_pattern import is_version_pattern, matches_version

from .mistakes import Mistake

DIRECTIONS: Mapping[Direction, str] = {"up": "from", "down": "to"}
"""For each direction, the key under which an entry has its versions."""


class PlacedInstruction(msgspec.Struct, frozen=True):
    """An instruction and its line in the appup."""

    instruction: AppupInstruction
    line: int


class PlacedEntry(msgspec.Struct, frozen=True):
    """An entry of an appup and its line."""

    direction: Direction
    versions: str
    line: int
    steps: tuple[PlacedInstruction, ...]

    def entry(self) -> AppupEntry:
        """Return the entry as plain data."""
        return AppupEntry(self.versions, tuple(step.instruction for step in self.steps))


@dataclass(slots=True)
class PlacedAppup:
    """An appup. `is_readable` is False if, because of a mistake, its instructions can't be checked any further."""

    shown: str
    exists: bool
    vsn_line: int = 1
    vsn: str | None = None
    entries: list[PlacedEntry] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    is_readable: bool = True

    def entry_for(self, direction: Direction, vsn: str) -> PlacedEntry | None:
        """Return the entry for an upgrade from, or a downgrade to, the version `vsn`; None if there is none."""
        for entry in self.entries:
            if entry.direction == direction and matches_version(entry.versions, vsn):
                return entry
        return None

    def refuse(self, line: int | None, sentence: str) -> None:
        """Record a mistake after which the appup is not checked any further."""
        self.mistakes.append(Mistake(self.shown, line, sentence))
        self.is_readable = False


def read_appup_file(place: AppupPlace) -> PlacedAppup:
    """Read an appup. If the file is missing, `exists` is False. Mistakes are recorded in the result, not raised."""
    if not place.path.exists():
        return PlacedAppup(place.shown, exists=False)
    file = PlacedAppup(place.shown, exists=True)
    try:
        table, text = read_table(place.path), read_text(place.path)
    except Refused as refused:
        _refuse_whole(file, place, refused)
        return file
    file.vsn_line = line_of(text, ("vsn",))
    file.vsn = table["vsn"] if isinstance(table.get("vsn"), str) else None
    for direction in DIRECTIONS:
        entries = table.get(direction, [])
        for number, entry in enumerate(entries if isinstance(entries, list) else []):
            _read_entry(file, text, direction, number, entry)
    if not file.mistakes:
        try:
            read_appup(place.path)
        except Refused as refused:
            _refuse_whole(file, place, refused)
    return file


def _read_entry(file: PlacedAppup, text: str, direction: Direction, number: int, entry: Any) -> None:
    path: TomlPath = (direction, number)
    versions = entry.get(DIRECTIONS[direction]) if isinstance(entry, dict) else None
    tables = entry.get("instructions") if isinstance(entry, dict) else None
    if not isinstance(versions, str) or not is_version_pattern(versions) or not isinstance(tables, list):
        return  # read_appup raises the mistake
    steps = []
    for index, instruction in enumerate(tables):
        line = line_of(text, (*path, "instructions", index))
        if not isinstance(instruction, dict):
            return
        try:
            steps.append(PlacedInstruction(parse_instruction(instruction), line))
        except Refused as refused:
            file.mistakes.append(Mistake(file.shown, line, refused.sentence))
            file.is_readable = file.is_readable and QUESTION in instruction
    file.entries.append(PlacedEntry(direction, versions, line_of(text, path), tuple(steps)))


def _refuse_whole(file: PlacedAppup, place: AppupPlace, refused: Refused) -> None:
    """Record the sentence of `refused` as a mistake, at its line or at line 1."""
    sentence = refused.sentence.removeprefix(str(place.path)).removeprefix(", ").removeprefix(": ").rstrip(".")
    match = re.match(r"line (\d+): ", sentence)
    file.refuse(int(match[1]) if match else 1, sentence[match.end() :] if match else sentence)

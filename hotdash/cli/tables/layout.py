"""Building blocks of the printed tables: styled lines of `hotdash.model`, columns, key-value pairs."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

from hotdash.model.styled_text import Line, Tone, sanitize, wrap

STYLES: dict[Tone, str] = {
    "plain": "",
    "name": "cyan",
    "muted": "dim",
    "ok": "green",
    "warn": "yellow",
    "bad": "red",
    "strong": "bold",
}

STATUS_TONES: dict[str, Tone] = {
    "idle": "ok",
    "running": "ok",
    "suspended": "warn",
    "zombie": "bad",
    "permanent": "ok",
    "current": "warn",
    "unpacked": "name",
    "old": "muted",
    "installed": "ok",
    "committed": "ok",
    "reverted": "warn",
    "aborted": "bad",
    "put back": "warn",
    "restarted": "bad",
    "partly put back": "bad",
    "ok": "ok",
    "failed": "bad",
    "died": "warn",
}


def text(words: str, tone: Tone = "plain") -> Text:
    """Return text in the colour of a tone, such as "warn". Markup and control characters in it have no effect."""
    return Text(sanitize(words), style=STYLES[tone])


def status_text(word: str) -> Text:
    """Return a status or an outcome in the colour of its tone."""
    return text(word, STATUS_TONES.get(word, "plain"))


def line_text(line: Line) -> Text:
    """Return one styled line of `hotdash.model` as rich text."""
    return Text.assemble(*((span.text, STYLES[span.tone]) for span in line))


@dataclass(frozen=True, slots=True)
class FoldedLine:
    """A styled line of `hotdash.model`. A long line is folded as in the dashboard, with indented continuation lines."""

    line: Line

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from (line_text(part) for part in wrap(self.line, options.max_width))


def block(lines: Iterable[Line]) -> Group:
    """Return styled lines of `hotdash.model` as one renderable, one line below the other."""
    return Group(*(FoldedLine(line) for line in lines))


def columns(*names: str, right: tuple[str, ...] = ()) -> Table:
    """Return a table with columns of these names, those in `right` aligned to the right, and a rule below the names.

    If the table is wider than the terminal, the cells of its widest columns are folded.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_edge=False)
    for name in names:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return table


def key_values(*pairs: tuple[str, Text | str]) -> Table:
    """Return names and values in two columns without rules."""
    table = Table.grid(padding=(0, 2))
    for name, value in pairs:
        table.add_row(text(name, "muted"), value if isinstance(value, Text) else text(value))
    return table


def pid(number: int | None) -> str:
    """Return the display form of a pid: <12>."""
    return "" if number is None else f"<{number}>"


def now() -> float:
    """Return the current Unix time, from which ages are computed."""
    return time.time()

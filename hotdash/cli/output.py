"""Output of the verbs: tables for people, JSON for scripts.

JSON has every field of a struct, including fields with their default value, so a script never has to check whether a
key is present. Data from a node is not trusted: characters that act on a terminal are escaped, even in JSON.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Self

import click
import msgspec
from rich.console import Console, RenderableType

from node_runtime.protocol.escape import escape_json

UNLIMITED_WIDTH = 1_000_000
"""Width in columns for output that must not be folded."""


def to_builtins(value: object) -> object:
    """Return `value` in built-in types (dict, list, str and so on), with every field of every struct."""
    if isinstance(value, msgspec.Struct):
        return {field: to_builtins(getattr(value, field)) for field in value.__struct_fields__}
    if isinstance(value, dict):
        return {key: to_builtins(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_builtins(item) for item in value]
    return value


@dataclass(frozen=True, slots=True)
class OutputMode:
    """How a verb prints. If `repeated`, it prints several outputs, and each JSON output is one line.

    If `paint` is set, it is called with each table, and the table is not printed.
    """

    repeated: bool = False
    paint: Callable[[RenderableType], None] | None = None


_mode: ContextVar[OutputMode] = ContextVar("output_mode", default=OutputMode())  # noqa: B039  # it is frozen


@contextmanager
def repeated_output(paint: Callable[[RenderableType], None] | None = None) -> Iterator[None]:
    """Let a verb print several outputs, one after the other, in the body of `with`."""
    token = _mode.set(OutputMode(True, paint))
    try:
        yield
    finally:
        _mode.reset(token)


def print_table(renderable: RenderableType) -> None:
    """Print `renderable` to stdout, as wide as the terminal or COLUMNS. Without either, each row is one line."""
    if (paint := _mode.get().paint) is not None:
        paint(renderable)
        return
    if sys.stdout is not None and sys.stdout.isatty():
        Console(highlight=False, emoji=False).print(renderable)
        return
    columns = os.environ.get("COLUMNS", "")
    console = Console(highlight=False, emoji=False, width=int(columns) if columns.isdecimal() else UNLIMITED_WIDTH)
    with console.capture() as captured:
        console.print(renderable)
    click.echo("\n".join(line.rstrip(" ") for line in captured.get().splitlines()))


class JsonList:
    """A JSON array on stdout that is printed while its items arrive. If `output` is not "json", it prints nothing.

    `indent` is the nesting depth of the array within another value.
    """

    def __init__(self, output: str, indent: int = 0) -> None:
        self._prints = output == "json"
        self._blank = "" if _mode.get().repeated else "  " * indent
        self._is_inner = indent > 0
        self._empty = True

    def __enter__(self) -> Self:
        if self._prints:
            click.echo("[", nl=False)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._prints and kind is None:
            click.echo("]" if self._empty else f"{_line_break()}{self._blank}]", nl=not self._is_inner)

    def add(self, items: Sequence[object]) -> None:
        """Print items."""
        texts = [_indented(_json(item), f"{self._blank}  ") for item in items]
        if texts:
            separator = f",{_line_break()}"
            click.echo((_line_break() if self._empty else separator) + separator.join(texts), nl=False)
            self._empty = False


class JsonObject:
    """A JSON object on stdout that is printed field by field."""

    def __init__(self) -> None:
        self._empty = True

    def __enter__(self) -> Self:
        click.echo("{", nl=False)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            click.echo(f"{_line_break()}}}")

    def add(self, name: str, value: object) -> None:
        """Print a field."""
        self._begin(name)
        click.echo(_indented(_json(value), "  ").lstrip(), nl=False)

    def list(self, name: str) -> JsonList:
        """Begin a field that is an array; print its items with the returned JsonList."""
        self._begin(name)
        return JsonList("json", indent=1)

    def _begin(self, name: str) -> None:
        blank = "" if _mode.get().repeated else "  "
        click.echo(f'{"" if self._empty else ","}{_line_break()}{blank}"{name}": ', nl=False)
        self._empty = False


def _line_break() -> str:
    return "" if _mode.get().repeated else "\n"


def _json(value: object) -> str:
    if _mode.get().repeated:
        return escape_json(msgspec.json.encode(to_builtins(value)).decode())
    return escape_json(msgspec.json.format(msgspec.json.encode(to_builtins(value)), indent=2).decode())


def _indented(text: str, blank: str) -> str:
    if _mode.get().repeated:
        return text
    return "\n".join(f"{blank}{line}" for line in text.split("\n"))


def print_line(value: object) -> None:
    """Print `value` as one line of JSON: JSON Lines, for repeated output."""
    click.echo(escape_json(msgspec.json.encode(to_builtins(value)).decode()))
    sys.stdout.flush()


def show(value: object, output: str, table: Callable[[], RenderableType]) -> None:
    """Print `value` as JSON, or the renderable that `table` returns."""
    if output == "json":
        click.echo(_json(value))
    else:
        print_table(table())

"""How verbs print: tables for people, JSON for scripts.

JSON has every field of the struct, also those that hold their default, so that a script never has to guess
whether a key is there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click
import msgspec
from rich.console import Console, RenderableType

ENDLESS = 1_000_000
"""Columns: more than anything takes."""

Command = TypeVar("Command", bound=Callable[..., Any])


def output_option(command: Command) -> Command:
    """The `-o table|json` option."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="What to print.",
    )(command)


def plain(value: object) -> object:
    """`value` as builtins, with every field of every struct."""
    if isinstance(value, msgspec.Struct):
        return {field: plain(getattr(value, field)) for field in value.__struct_fields__}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def put(printed: RenderableType) -> None:
    """Print to stdout: as wide as the terminal, or as COLUMNS says; else a row is a line, however long."""
    if sys.stdout.isatty():
        Console(highlight=False, emoji=False).print(printed)
        return
    columns = os.environ.get("COLUMNS", "")
    console = Console(highlight=False, emoji=False, width=int(columns) if columns.isdecimal() else ENDLESS)
    with console.capture() as captured:
        console.print(printed)
    click.echo("\n".join(line.rstrip(" ") for line in captured.get().splitlines()))


def show(value: object, output: str, table: Callable[[], RenderableType]) -> None:
    """Print `value` as JSON, or what `table` makes of it."""
    if output == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(plain(value)), indent=2).decode())
    else:
        put(table())

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


UNBOUNDED = 100_000
"""Columns that no line needs."""


def console() -> Console:
    """Where tables go: the terminal's width; where stdout is no terminal, a row is a line, unless COLUMNS says more."""
    bounded = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return Console(highlight=False, emoji=False, soft_wrap=False, width=None if bounded else UNBOUNDED)


def show(value: object, output: str, table: Callable[[], RenderableType]) -> None:
    """Print `value` as JSON, or what `table` makes of it."""
    if output == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(plain(value)), indent=2).decode())
    else:
        console().print(table())

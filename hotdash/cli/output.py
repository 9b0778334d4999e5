"""Output of the verbs: tables for people, JSON for scripts.

JSON has every field of a struct, including fields with their default value, so a script never has
to check whether a key is present. What a node sends is not trusted: in JSON, too, characters that
act on a terminal are escaped.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import click
import msgspec
from rich.console import Console, RenderableType

from node_runtime.protocol.escape import escape_json

UNLIMITED_WIDTH = 1_000_000
"""Width in columns for output that must not be folded."""


def to_builtins(value: object) -> object:
    """Return `value` as builtins, with every field of every struct."""
    if isinstance(value, msgspec.Struct):
        return {field: to_builtins(getattr(value, field)) for field in value.__struct_fields__}
    if isinstance(value, (list, tuple)):
        return [to_builtins(item) for item in value]
    return value


def print_table(renderable: RenderableType) -> None:
    """Print `renderable` to stdout, as wide as the terminal or COLUMNS. Without either, each row is one line."""
    if sys.stdout.isatty():
        Console(highlight=False, emoji=False).print(renderable)
        return
    columns = os.environ.get("COLUMNS", "")
    console = Console(highlight=False, emoji=False, width=int(columns) if columns.isdecimal() else UNLIMITED_WIDTH)
    with console.capture() as captured:
        console.print(renderable)
    click.echo("\n".join(line.rstrip(" ") for line in captured.get().splitlines()))


def show(value: object, output: str, table: Callable[[], RenderableType]) -> None:
    """Print `value` as JSON, or the renderable that `table` returns."""
    if output == "json":
        click.echo(escape_json(msgspec.json.format(msgspec.json.encode(to_builtins(value)), indent=2).decode()))
    else:
        print_table(table())

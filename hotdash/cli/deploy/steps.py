"""The output of a deployment: each step with the command that does the same, as lines for people or as JSON Lines."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click
from rich.console import RenderableType

from hotdash.cli.output import print_line, print_table
from hotdash.model.styled_text import sanitize


@dataclass(frozen=True, slots=True)
class DeploymentOutput:
    """Prints the steps: as JSON Lines if `as_json`, else as lines for people."""

    as_json: bool

    def begin(self, line: Sequence[str]) -> None:
        """Print the command of the next step, as `set -x` of a shell does. In JSON mode, `end` prints the command."""
        if not self.as_json:
            click.echo(f"+ {sanitize(shlex.join(line))}")

    def end(self, step: str, line: Sequence[str], result: object, table: Callable[[], RenderableType] | None) -> None:
        """Print the result of a step. In text mode, print it only if `table` is given."""
        if self.as_json:
            print_line({"step": step, "command": shlex.join(line), "result": result})
        elif table is not None:
            print_table(table())

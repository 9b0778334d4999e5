"""Options and arguments that several verbs share."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from .shell.values import complete_nodes

Command = TypeVar("Command", bound=Callable[..., Any])


def node_options(command: Command) -> Command:
    """Add the argument NODE and the option `--cookie-file`, which are the same for every verb."""
    return click.argument("node", shell_complete=complete_nodes)(cookie_file_option(command))


def cookie_file_option(command: Command) -> Command:
    """Add the option `--cookie-file`."""
    return click.option(
        "--cookie-file",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="HOTDASH_COOKIE_FILE",
        help="The file with the node's cookie; not needed for this user's nodes on this machine.",
    )(command)


def output_option(command: Command) -> Command:
    """Add the option `-o table|json`."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="The output format.",
    )(command)


def reason_option(command: Command) -> Command:
    """Add `--reason TEXT`: a text for the node's audit log."""
    return click.option("--reason", help="The reason, for the node's audit log.")(command)


def yes_option(command: Command) -> Command:
    """Add `--yes`: proceed without confirmation."""
    return click.option("--yes", is_flag=True, help="Do not ask for confirmation.")(command)


def terminal_yes_option(command: Command) -> Command:
    """Add `--yes`, for a verb that asks only on a terminal."""
    return click.option(
        "--yes", is_flag=True, help="Do not ask for confirmation. Without a terminal, the command never asks."
    )(command)


def lose_option(command: Command) -> Command:
    """Add `--lose NAME`: consent in advance to the loss of named data; `named_losses` checks it."""
    return click.option(
        "--lose",
        multiple=True,
        metavar="NAME",
        help="With --yes: lose the data that the plan lists under this name. Can be given several times.",
    )(command)


def named_losses(lose: tuple[str, ...], *, yes: bool) -> frozenset[str]:
    """Return the names after `--lose`. Raises UsageError without `--yes`."""
    if lose and not yes:
        raise click.UsageError(
            "--lose needs --yes, because it answers a question in advance; add --yes, or leave out --lose."
        )
    return frozenset(lose)


class Seconds(click.FloatRange):
    """A finite number of seconds: neither nan nor inf."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = float(super().convert(value, param, ctx))
        if not math.isfinite(seconds):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return seconds


def wait_option(command: Command) -> Command:
    """Add `--wait SECONDS`: wait until no temporary blocker is left."""
    return click.option(
        "--wait",
        type=Seconds(min=0),
        default=0.0,
        metavar="SECONDS",
        help="If only temporary blockers are left, wait up to this long for them to disappear.",
    )(command)


def unrehearsed_option(command: Command) -> Command:
    """Add `--unrehearsed`: proceed although some processes can't be rehearsed."""
    return click.option(
        "--unrehearsed", is_flag=True, help="Proceed although the code_change of some processes can't be rehearsed."
    )(command)

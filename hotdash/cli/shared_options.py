"""Options and arguments that several verbs share."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def node_options(command: Command) -> Command:
    """The NODE argument and `--cookie-file`, the same for every verb."""
    command = click.option(
        "--cookie-file",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="HOTDASH_COOKIE_FILE",
        help="The file with the node's cookie; not needed for this user's nodes on this machine.",
    )(command)
    return click.argument("node")(command)


def output_option(command: Command) -> Command:
    """The `-o table|json` option."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="The output format.",
    )(command)


def reason_option(command: Command) -> Command:
    """`--reason TEXT`, for the node's audit log."""
    return click.option("--reason", help="The reason, for the node's audit log.")(command)


def yes_option(command: Command) -> Command:
    """`--yes`: proceed without confirmation."""
    return click.option("--yes", is_flag=True, help="Do not ask for confirmation.")(command)


class Seconds(click.FloatRange):
    """A finite number of seconds: neither nan nor inf."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = float(super().convert(value, param, ctx))
        if not math.isfinite(seconds):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return seconds


def wait_option(command: Command) -> Command:
    """`--wait SECONDS`: wait until no temporary blocker is left."""
    return click.option(
        "--wait",
        type=Seconds(min=0),
        default=0.0,
        metavar="SECONDS",
        help="If only temporary blockers are left, wait at most this long until they disappear.",
    )(command)


def unrehearsed_option(command: Command) -> Command:
    """`--unrehearsed`: proceed although some processes can't be rehearsed."""
    return click.option(
        "--unrehearsed", is_flag=True, help="Proceed although the code_change of some processes can't be rehearsed."
    )(command)

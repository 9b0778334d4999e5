"""Options of the verbs about processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def filter_option(command: Command) -> Command:
    """Add `--filter EXPRESSION`."""
    return click.option(
        "--filter",
        default="",
        metavar="EXPRESSION",
        help="Only matching processes: words, field:text, or comparisons, e.g. 'state:lime module:fil.* mail>10'.",
    )(command)

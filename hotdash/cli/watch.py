"""`--watch`: repeats the output of a verb."""

from __future__ import annotations

import functools
import shutil
import sys
import time
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console, Group, RenderableType

from hotdash.model.styled_text import sanitize
from node_runtime.protocol.exit_codes import ExitCode, Refused

from .output import repeated_output
from .shared_options import Seconds

DEFAULT_SECONDS = 2.0


def watch_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options `--watch` and `--every SECONDS`.

    On a terminal, each output replaces the previous one. In a pipe, the outputs follow each other, and each JSON output
    is one line. While the node can't be reached, the verb reports this on stderr and tries again.
    """

    @click.option("--watch", is_flag=True, help="Repeat the output until interrupted.")
    @click.option(
        "--every", type=Seconds(min=0.1), default=DEFAULT_SECONDS, show_default=True, metavar="SECONDS",
        help="The number of seconds between two outputs of --watch.",
    )  # fmt: skip
    @functools.wraps(command)
    def run(*arguments: Any, watch: bool, every: float, **options: Any) -> None:
        once = functools.partial(command, *arguments, **options)
        if watch:
            _repeat(once, every)
        else:
            once()

    return run


def _repeat(once: Callable[[], None], every: float) -> None:
    parts: list[RenderableType] = []
    terminal = sys.stdout.isatty()
    with repeated_output(parts.append if terminal else None):
        try:
            while True:
                parts.clear()
                _run(once)
                if parts:
                    _paint(Group(*parts))
                sys.stdout.flush()
                time.sleep(every)
        except KeyboardInterrupt:
            click.echo()


def _run(once: Callable[[], None]) -> None:
    try:
        once()
    except Refused as refusal:
        if refusal.code != ExitCode.UNREACHABLE:
            raise
        click.echo(sanitize(refusal.sentence), err=True)


def _paint(renderable: RenderableType) -> None:
    """Replace the previous output on the terminal. Lines that don't fit are cut, because they would scroll the
    terminal.
    """
    size = shutil.get_terminal_size()
    console = Console(highlight=False, emoji=False, width=size.columns)
    with console.capture() as captured:
        console.print(renderable)
    lines = captured.get().splitlines()
    room = max(1, size.lines - 1)
    if len(lines) > room:
        lines = [*lines[: room - 1], f"… {len(lines) - room + 1} more lines: enlarge the terminal, or use a pipe"]
    click.echo("\x1b[H" + "".join(f"{line}\x1b[0m\x1b[K\n" for line in lines) + "\x1b[J", nl=False)

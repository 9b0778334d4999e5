"""Verbs that open something: the dashboard, the demonstration, the list of nodes."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

from hotdash import terminal
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.run_directory import NodeRecord, list_records

from . import tables
from .output import output_option, show
from .session import find, node_options


@click.command()
@node_options
@click.option("--armed", is_flag=True, help="Start with the operator's verbs allowed; read-only otherwise.")
@click.option("--page", metavar="URL", help="Where the node's users look; shown beside the views.")
def connect(node: str, cookie_file: Path | None, armed: bool, page: str | None) -> None:
    """Open the dashboard on NODE."""
    address = find(node, cookie_file)
    if not terminal.usable():
        raise Refused(
            f"The dashboard needs a terminal that can be drawn on; without one, 'hotdash status {node}' and its "
            f"sisters print the same.",
            ExitCode.USAGE,
        )
    from hotdash.app import HotdashApp

    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # without its terminal it has nothing to do, under nohup neither
    terminal.end_with_it()
    app = HotdashApp(address, read_only=not armed, cookie_file=cookie_file, page=page)
    app.run()
    sys.exit(app.return_code)


@click.command()
@output_option
def nodes(output: str) -> None:
    """List the nodes that run on this machine as this user."""
    records: list[NodeRecord] = list_records()
    show(records, output, lambda: tables.nodes(records))


@click.command()
@click.option(
    "--examples",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder of fil's versions to play with; hotdash's own otherwise.",
)
@click.option("--port", type=click.IntRange(0, 65535), help="The web page's port; 0 takes a free one.")
@click.option("--play", is_flag=True, help="Print the story as text, also on a terminal.")
def demo(examples: Path | None, port: int | None, play: bool) -> None:
    """Build fil, boot it in private folders, and open the dashboard on it.

    Without a terminal it runs the commands that a user would type and prints them with their output.
    """
    from hotdash.demo import run_demo

    run_demo(examples, port, play=play)


VERBS = (connect, nodes, demo)

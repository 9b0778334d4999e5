"""`hotdash connect`, `hotdash nodes` and `hotdash demo`: the dashboard, the local nodes, the demonstration."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

from hotdash import terminal
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.run_directory import NodeRecord, list_records, locate

from . import tables
from .output import show
from .shared_options import node_options, output_option


@click.command()
@node_options
@click.option("--armed", is_flag=True, help="Allow the operator's actions from the start.")
@click.option("--page", metavar="URL", help="The URL of the page that the node serves, to be shown in the dashboard.")
def connect(node: str, cookie_file: Path | None, armed: bool, page: str | None) -> None:
    """Open the dashboard on NODE."""
    address = locate(node, cookie_file)
    if not terminal.usable():
        raise Refused(
            f"The dashboard needs a terminal that can be drawn on; 'hotdash status {node}' and the related commands "
            f"print the same information.",
            ExitCode.USAGE,
        )
    from hotdash.app import DashboardOptions, HotdashApp

    # When its terminal closes, the dashboard must end, even under nohup.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    terminal.exit_with_terminal()
    app = HotdashApp(address, DashboardOptions(read_only=not armed, cookie_file=cookie_file, page=page))
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
    help="A folder with the versions of fil; by default, the examples that are part of hotdash.",
)
@click.option("--port", type=click.IntRange(0, 65535), help="The port of the web page; 0 chooses a free port.")
@click.option("--play", is_flag=True, help="Print the demonstration as commands with their output, even on a terminal.")
def demo(examples: Path | None, port: int | None, play: bool) -> None:
    """Build the example release fil, boot it in private folders, and open the dashboard on the node.

    Without a terminal, run the commands that a user would type and print them with their output.
    """
    from hotdash.demo import run_demo

    run_demo(examples, port, play=play)


VERBS = (connect, nodes, demo)

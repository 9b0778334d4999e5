"""`hotdash connect`, `hotdash nodes` and `hotdash demo`: the dashboard, the local nodes, the demonstration."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import click

from hotdash import collector_pause, terminal
from hotdash.cli.output import show
from hotdash.cli.shared_options import cookie_file_option, output_option
from hotdash.cli.shell.values import complete_nodes
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.run_directory import NodeRecord, list_records, locate

from .record import MEGABYTE, max_size_option


@click.command()
@click.argument("node", required=False, shell_complete=complete_nodes)
@cookie_file_option
@click.option("--armed", is_flag=True, help="Allow the operator's actions from the start.")
@click.option(
    "--record", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Also record NODE into FILE."
)
@max_size_option
@click.option("--page", metavar="URL", help="The URL of the page that the node serves, to be shown in the dashboard.")
def connect(
    node: str | None, cookie_file: Path | None, armed: bool, page: str | None, record: Path | None, max_size: int
) -> None:
    """Open the dashboard on NODE, or on a node that you choose from a list."""
    address = locate(node, cookie_file) if node is not None else None
    if not terminal.usable() and not terminal.served():
        raise Refused(
            f"The dashboard needs a terminal that can be drawn on; 'hotdash status {node or 'NODE'}' and the related "
            f"commands print the same information.",
            ExitCode.USAGE,
        )
    if address is not None:
        collector_pause.begin_pause()
    from hotdash.app import DashboardOptions, HotdashApp
    from hotdash.config.memory import memory_path
    from hotdash.config.settings import read_settings, settings_path
    from hotdash.fleet.node_picker import NodePicker
    from hotdash.recording.writer import RecordingWriter

    # When its terminal closes, the dashboard must end, even under nohup.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    terminal.exit_with_terminal()
    settings = read_settings(settings_path())
    if address is None:
        chosen = NodePicker(settings).run()
        if chosen is None:
            return
        cookie_file = chosen.cookie_file or cookie_file
        address = locate(chosen.name, cookie_file)
    options = DashboardOptions(
        read_only=not armed,
        cookie_file=cookie_file,
        page=page,
        settings=settings,
        memory=memory_path(),
        record=None
        if record is None
        else RecordingWriter(record, address.name, time.time(), max_bytes=max_size * MEGABYTE),
    )
    app = HotdashApp(address, options)
    app.run()
    sys.exit(app.return_code)


@click.command()
@click.option("--worker", type=click.IntRange(1), help="List only this worker of each node.")
@output_option
def nodes(worker: int | None, output: str) -> None:
    """List the nodes that run on this machine as this user. Each worker of a node can be inspected by its own name."""
    from hotdash.cli import tables

    records: list[NodeRecord] = [record for record in list_records() if worker in (None, record.worker)]
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

"""`hotdash connect`, `hotdash nodes` and `hotdash demo`: the dashboard, the local nodes, the demonstration."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

from hotdash import collector_pause, terminal
from hotdash.cli.output import show
from hotdash.cli.shared_options import cookie_file_option, output_option
from hotdash.cli.shell.values import complete_nodes
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.run_directory import NodeAddress, NodeRecord, list_records, locate

from .record import MEGABYTE, max_size_option

if TYPE_CHECKING:
    from hotdash.config.settings import Settings
    from hotdash.dashboard_options import DashboardOptions

OpenedNode: TypeAlias = tuple[NodeAddress, Path | None]
"""A node's address, and its cookie file if it needs one."""


@click.command()
@click.argument("node", nargs=-1, shell_complete=complete_nodes)
@cookie_file_option
@click.option("--armed", is_flag=True, help="Allow the operator's actions from the start.")
@click.option(
    "--record", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Also record NODE into FILE."
)
@max_size_option
@click.option("--page", metavar="URL", help="The URL of the page that the node serves, to be shown in the dashboard.")
def connect(
    node: tuple[str, ...], cookie_file: Path | None, armed: bool, page: str | None, record: Path | None, max_size: int
) -> None:
    """Open the dashboard on NODE, or on nodes that you choose from a list. Several nodes get a tab each."""
    known = [(locate(node[0], cookie_file), cookie_file)] if len(node) == 1 else []
    if not terminal.usable() and not terminal.served():
        raise Refused(
            f"The dashboard needs a terminal on which it can draw; 'hotdash status {node[0] if node else 'NODE'}' and "
            f"the related commands print the same information.",
            ExitCode.USAGE,
        )
    if known:
        collector_pause.begin_pause()
    from hotdash.config.memory import memory_path
    from hotdash.config.settings import read_settings, settings_path
    from hotdash.dashboard_options import DashboardOptions
    from hotdash.recording.writer import RecordingWriter

    # When its terminal closes, the dashboard must end, even under nohup.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    terminal.exit_with_terminal()
    settings = read_settings(settings_path())
    opened = known or _several(node, cookie_file, settings)
    if not opened:
        return
    if len(opened) > 1 and (record is not None or page is not None):
        raise Refused("The options --record and --page need exactly one node; name one.", ExitCode.USAGE)
    address, cookie_file = opened[0]
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
    _run(opened, options)


def _several(names: tuple[str, ...], cookie_file: Path | None, settings: Settings) -> list[OpenedNode]:
    """Return the nodes with these names. Without names, let the user choose nodes; the user may choose none.

    A node's cookie file in the settings takes precedence over `cookie_file`.
    """
    from hotdash.fleet.known_nodes import known_by_name
    from hotdash.fleet.node_picker import NodePicker

    chosen = known_by_name(names, settings) if names else NodePicker(settings).run()
    files = [(known.name, known.cookie_file or cookie_file) for known in chosen or ()]
    return [(locate(name, file), file) for name, file in files]


def _run(opened: list[OpenedNode], options: DashboardOptions) -> None:
    """Open the dashboard, and exit with its exit code."""
    if len(opened) == 1:
        from hotdash.app import HotdashApp

        app = HotdashApp(opened[0][0], options)
    else:
        from hotdash.fleet.tabs_app import TabsApp

        app = TabsApp(opened, options)
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
    help="A folder with the versions of the example application `fil`; by default, the folder that is part of hotdash.",
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

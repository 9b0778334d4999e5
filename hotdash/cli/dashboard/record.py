"""`hotdash record` and `hotdash replay`: a recording without a screen, and the dashboard on a recording."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import suppress
from pathlib import Path

import click
import msgspec

from hotdash import terminal
from hotdash.cli.output import print_line
from hotdash.cli.shared_options import Seconds, node_options
from hotdash.recording.file_format import DEFAULT_MAX_FILE_BYTES
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.run_directory import NodeAddress, locate

MEGABYTE = 1 << 20


def max_size_option(command: click.decorators.FC) -> click.decorators.FC:
    """Add the option `--max-size MB`: the size at which a recording ends."""
    return click.option(
        "--max-size",
        type=click.IntRange(1, 1 << 20),
        default=DEFAULT_MAX_FILE_BYTES // MEGABYTE,
        show_default=True,
        metavar="MB",
        help="The size in megabytes at which the recording ends.",
    )(command)


@click.command()
@node_options
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--for", "duration", type=Seconds(min=0.1), metavar="SECONDS", help="The length of the recording.")
@max_size_option
def record(node: str, cookie_file: Path | None, file: Path, duration: float | None, max_size: int) -> None:
    """Record NODE into FILE until interrupted, without a screen; 'hotdash replay FILE' shows the recording."""
    address = locate(node, cookie_file)
    sentence = asyncio.run(_record(address, file, duration, max_size * MEGABYTE))
    click.echo(sentence, err=True)


async def _record(address: NodeAddress, file: Path, duration: float | None, max_bytes: int) -> str:
    from hotdash.recording.headless import record_node
    from hotdash.recording.writer import RecordingWriter

    writer = RecordingWriter(file, address.name, time.time(), max_bytes=max_bytes)
    interrupted = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupted.set)
    click.echo(f"Recording {address.name} into {file}; Ctrl-C ends the recording.", err=True)
    return await record_node(address, writer, interrupted, duration)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "-o", "--output", type=click.Choice(["screen", "json"]), default="screen", show_default=True,
    help="Show the dashboard, or print each record as a line of JSON.",
)  # fmt: skip
@click.option(
    "--at",
    type=Seconds(min=0),
    default=0.0,
    metavar="SECONDS",
    help="Begin the replay at this time after the start of the recording.",
)
def replay(file: Path, output: str, at: float) -> None:
    """Show the recording FILE in the dashboard, as if its node were there."""
    from hotdash.recording.message_codec import UnknownRecord, as_builtins
    from hotdash.recording.reader import Recording

    recording = Recording(file)
    if output == "json":
        print_line(msgspec.to_builtins(recording.header))
        for one in recording.records(float("-inf")):
            with suppress(UnknownRecord):
                print_line(as_builtins(one))
        if recording.note:
            click.echo(recording.note, err=True)
        return
    if not terminal.usable():
        raise Refused(
            f"A replay needs a terminal on which it can draw; 'hotdash replay {file} -o json' prints the recording.",
            ExitCode.USAGE,
        )
    from hotdash.app import DashboardOptions
    from hotdash.config.settings import read_settings, settings_path
    from hotdash.replay_app import ReplayApp

    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    terminal.exit_with_terminal()
    app = ReplayApp(recording, DashboardOptions(settings=read_settings(settings_path())))
    app.replay_clock.move_to(recording.first + at)
    app.run()


VERBS = (record, replay)

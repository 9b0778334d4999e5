"""The verb `node-runtime dev`."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click

from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.releases.files.schemas import read_environment
from node_runtime.releases.files.toml_reading.toml_file import read_text

if TYPE_CHECKING:
    from .development import Development

DEBOUNCE_MS: Final = 50
"""The maximum time for which changes are collected: an editor writes a file in several steps."""
STEP_MS: Final = 10
"""The time without a further change after which the collected changes are applied."""
WATCHED: Final = ("apps", "config", "release.toml")
"""The parts of a project that a release is made of."""


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--open", "is_open", is_flag=True, help="Open the dashboard; closing it ends the node.")
@click.option(
    "--config",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Parameters for this node, such as another port: they have precedence over those in config/sys.toml.",
)
def dev(folder: Path, is_open: bool, config: Path | None) -> None:
    """Run the project in DIR from its sources, and upgrade the running node at each save. Ctrl-C ends it.

    The states of all processes are kept. If the new code can't be loaded or a code_change fails, the old code continues
    to run. If the node ends, the next save starts it again. The node has a name such as counter-dev@127.0.0.1. Nothing
    is written into the project.
    """
    try:
        import watchfiles  # noqa: F401  # an extra, which is not always installed
    except ImportError:
        raise Refused(
            "node-runtime dev needs watchfiles; run `pip install 'hotdash[watch]'`.", ExitCode.USAGE
        ) from None
    if is_open and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Refused("--open needs a terminal for the dashboard; leave it out elsewhere.", ExitCode.USAGE)
    parameters = "" if config is None else _parameters(config)
    if not is_open:
        asyncio.run(_develop(folder.resolve(), sys.stdout, parameters))
        return
    with tempfile.NamedTemporaryFile("w", prefix="node-runtime-dev-", suffix=".log", delete=False) as log:
        asyncio.run(_develop(folder.resolve(), log, parameters, opens_dashboard=True))
    click.echo(f"The log is in {log.name}.")


def _parameters(config: Path) -> str:
    """Return the text of the file with parameters. Raises Refused if it has a mistake."""
    read_environment(config)
    return read_text(config)


async def _develop(folder: Path, output: IO[str], parameters: str, *, opens_dashboard: bool = False) -> None:
    """Run the development until a signal arrives or the dashboard is closed."""
    from .development import Development

    def say(line: str) -> None:
        click.echo(f"dev: {line}", output)

    development = Development(folder, say, output.fileno() if opens_dashboard else None, parameters=parameters)
    task = asyncio.ensure_future(development.run(_changes(folder)))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    dashboard = asyncio.ensure_future(_show_dashboard(development)) if opens_dashboard else None
    if dashboard is not None:
        dashboard.add_done_callback(lambda _: task.cancel())
    try:
        await task
    except asyncio.CancelledError:
        say("The node is stopped.")
    finally:
        if dashboard is not None:
            dashboard.cancel()


async def _show_dashboard(development: Development) -> None:
    """Open the dashboard of the node on this terminal, and wait until it is closed."""
    await development.started.wait()
    line = (sys.executable, "-m", "hotdash", "connect", development.node.name)
    await (await asyncio.create_subprocess_exec(*line)).wait()


async def _changes(folder: Path) -> AsyncIterator[Any]:
    """Yield a value each time that files of the project have changed."""
    import watchfiles

    outside = _outside_sources(folder)
    accepts = _is_source(folder)
    async for changes in watchfiles.awatch(folder, *outside, watch_filter=accepts, debounce=DEBOUNCE_MS, step=STEP_MS):
        yield changes


def _outside_sources(folder: Path) -> list[Path]:
    """Return the folders and files that `source` in an app.toml names."""
    found = []
    for path in sorted(folder.glob("apps/*/app.toml")):
        with suppress(OSError, UnicodeError, tomllib.TOMLDecodeError):  # the start of the node reports it
            source = tomllib.loads(path.read_text(encoding="utf-8")).get("source")
            if isinstance(source, str) and (path.parent / source).exists():
                found.append((path.parent / source).resolve())
    return found


def _is_source(folder: Path) -> Callable[[Any, str], bool]:
    """Return the filter for watchfiles: a function that returns whether a changed path can change the release."""

    def is_source(_change: Any, name: str) -> bool:
        path = Path(name)
        is_inside = path.is_relative_to(folder)
        parts = path.relative_to(folder).parts if is_inside else path.parts[-2:]
        hidden = any(part[0] == "." or part == "__pycache__" for part in parts)
        return bool(parts) and not hidden and (not is_inside or parts[0] in WATCHED)

    return is_source

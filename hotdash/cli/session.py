"""From a node's name on the command line to a connected client, for the time of one verb."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click

from node_runtime.protocol import messages as m
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.run_directory import Address, locate

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])


def node_options(command: Command) -> Command:
    """The NODE argument and `--cookie-file`, the same for every verb."""
    command = click.option(
        "--cookie-file",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="HOTDASH_COOKIE_FILE",
        help="The node's cookie; a node of the same user on this machine needs none.",
    )(command)
    return click.argument("node")(command)


def user() -> str:
    """Who asks, as the node's audit shall show it: user@host."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return f"{name}@{os.uname().nodename}"


def find(node: str, cookie_file: Path | None) -> Address:
    """Where `node` is and the keys to speak to it; Refused when it is unknown or down."""
    return locate(node, cookie_file)


def with_client(node: str, cookie_file: Path | None, deed: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
    """Connect, do `deed`, disconnect."""

    async def session() -> T:
        async with Client.connect(find(node, cookie_file), user=user(), client_name="hotdash") as client:
            return await deed(client)

    return asyncio.run(session())


def find_process(snapshot: m.Snapshot, target: str) -> m.ProcessInfo:
    """The live process that `target` names: a registered name, 12, or <12>."""
    number = target.strip("<>")
    for process in snapshot.processes:
        if process.name == target or (number.isdigit() and process.pid == int(number)):
            return process
    raise Refused(
        f"{snapshot.info.name} has no process {target}; 'hotdash ps {snapshot.info.name}' lists those that live.",
        ExitCode.REFUSED,
    )

"""The verbs of bin/<name> that need only the release's node_runtime, not its hotdash.

The name of this module must not change, because the launchers of older releases start the module by its name.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.local_user import local_user
from node_runtime.protocol.methods import PING
from node_runtime.protocol.run_directory import is_node_alive, locate, read_record


def main(arguments: list[str]) -> None:
    """Run `ping DIRECTORY NODE`, or `cookie`, `audit` or `cold` with DIRECTORY, NODE and options."""
    verb, directory, node, *rest = arguments
    try:
        if verb == "ping":
            asyncio.run(_ping(Path(directory), node))
        elif verb == "audit":
            from .audit_command import audit

            audit(Path(directory), rest)
        elif verb == "cold":
            from .cold_command import cold

            cold(Path(directory), node, rest)
        else:
            from .cookie_command import cookie

            cookie(Path(directory), rest)
    except Refused as refusal:
        print(refusal.sentence, file=sys.stderr)
        sys.exit(refusal.code)
    except OSError as error:  # the disk is full or fails
        print(f"{error.filename or directory} can't be used: {error.strerror or error}.", file=sys.stderr)
        sys.exit(ExitCode.REFUSED)


async def _ping(directory: Path, node: str) -> None:
    """Print "pong" when the node replies. Raises Refused if no live node with this name runs in `directory`."""
    record = read_record(node)
    if record is None or not is_node_alive(record) or Path(record.directory) != directory:
        raise Refused(f"{node} is being started; try again in a moment.", ExitCode.UNREACHABLE)
    async with Client.connect(locate(node), user=local_user(), client_name="ping") as client:
        await client.request(PING)
    print("pong")

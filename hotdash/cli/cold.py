"""Cold upgrades and their rollbacks: the node restarts, and the command waits for it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

import click
import msgspec

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.local_user import local_user
from node_runtime.protocol.run_directory import locate

from .commit import commit_when_healthy
from .confirmation import confirm_by_name
from .operation_outcome import follow_operation
from .session import with_client

MAX_RESTART_SECONDS: Final = 900.0
"""How long a command waits for a node that restarts."""
POLL_SECONDS: Final = 0.2
_AWAY: Final = (ExitCode.UNREACHABLE, ExitCode.UNKNOWN_OUTCOME)


def install_cold(
    node: str, cookie_file: Path | None, request: m.Install, *, yes: bool, commit: bool, output: str
) -> m.Operation:
    """Let the node restart into a release on probation. With `commit`, wait until its health is good, and commit it."""

    async def begin(client: Client) -> m.Operation:
        confirm_by_name(
            f"Restart {node} from {client.info.vsn} into {request.vsn}, on probation. The states of all processes, "
            f"their messages, the connections and the values in modules are lost",
            request.vsn,
            yes,
        )
        started = await client.request(methods.INSTALL, msgspec.structs.replace(request, direction=None))
        return await follow_restart(client, cookie_file, started.operation, output)

    done = with_client(node, cookie_file, begin)
    if commit and done.outcome == "installed":
        return with_client(
            node, cookie_file, lambda client: commit_when_healthy(client, request.vsn, request.reason, output, yes=yes)
        )
    return done


async def follow_restart(client: Client, cookie_file: Path | None, operation: str, output: str) -> m.Operation:
    """Return the operation when it has ended, even if the node restarts meanwhile. Raises Refused."""
    node, task = client.address.name, asyncio.current_task()
    if client.address.record is None:
        node = f"{node}:{client.address.port}"
    try:
        return await follow_operation(client, operation, output)
    except Refused as lost:
        if lost.code not in _AWAY or (task is not None and task.cancelling()):
            raise
        last = lost
    click.echo(f"{client.address.name} restarts …", err=True)
    deadline = time.monotonic() + MAX_RESTART_SECONDS
    while time.monotonic() < deadline:
        try:
            async with Client.connect(locate(node, cookie_file), user=local_user(), client_name="hotdash") as again:
                found = await again.request(methods.OPERATION, m.GetOperation(operation=operation))
                if found.ended is not None:
                    return found
        except Refused as away:
            if away.code not in _AWAY:
                raise
        await asyncio.sleep(POLL_SECONDS)
    raise last

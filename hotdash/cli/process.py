"""`hotdash restart` and `hotdash kill`: end one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.text import Text

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client

from .confirmation import confirm
from .output import show
from .session import find_process, with_client
from .shared_options import node_options, output_option, reason_option, yes_option


@click.command()
@node_options
@click.argument("process", metavar="PID|NAME")
@yes_option
@reason_option
@output_option
def restart(**arguments: Any) -> None:
    """Restart one process through its supervisor."""
    _end_process("restart", **arguments)


@click.command()
@node_options
@click.argument("process", metavar="PID|NAME")
@yes_option
@reason_option
@output_option
def kill(**arguments: Any) -> None:
    """Kill one process; its supervisor treats that as a crash."""
    _end_process("kill", **arguments)


def _end_process(
    verb: str, node: str, cookie_file: Path | None, process: str, yes: bool, reason: str | None, output: str
) -> None:
    method = methods.RESTART_PROCESS if verb == "restart" else methods.KILL_PROCESS

    async def end(client: Client) -> m.ProcessSummary:
        snapshot = await client.request(methods.SNAPSHOT)
        target = find_process(snapshot, process)
        confirm(f"{verb} {target.name or target.module} <{target.pid}> on {node}?", yes)
        await client.request(method, m.ProcessTarget(pid=target.pid, boot_id=snapshot.info.boot_id, reason=reason))
        return target

    target = with_client(node, cookie_file, end)
    show(target, output, lambda: Text(f"Requested on {node}: {verb} {target.name or target.module} <{target.pid}>."))


VERBS = (restart, kill)

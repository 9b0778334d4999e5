"""`hotdash rollback`: go back to the permanent release."""

from __future__ import annotations

from pathlib import Path

import click

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client

from .cold import follow_restart
from .confirmation import confirm
from .operation_outcome import show_outcome
from .session import with_client
from .shared_options import node_options, output_option, reason_option, unrehearsed_option, wait_option, yes_option


@click.command()
@node_options
@yes_option
@wait_option
@unrehearsed_option
@reason_option
@output_option
def rollback(
    node: str, cookie_file: Path | None, yes: bool, wait: float, unrehearsed: bool, reason: str | None, output: str
) -> None:
    """Go back from the current release to the permanent one, while NODE runs."""
    request = m.Rollback(wait=wait, reason=reason, unrehearsed=unrehearsed)

    async def roll_back(client: Client) -> m.Operation:
        confirm(f"Roll {node} back from {client.info.vsn} to {client.info.permanent}?", yes)
        started = await client.request(methods.ROLLBACK, request)
        return await follow_restart(client, cookie_file, started.operation, output)

    show_outcome(with_client(node, cookie_file, roll_back), output, wanted=("reverted",))


VERBS = (rollback,)

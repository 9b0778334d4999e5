"""`hotdash rollback`: go back to the permanent release."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from hotdash.model.styled_text import sanitize
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import Refused

from .cold import follow_restart
from .confirmation import check_terminal, confirm
from .operation_outcome import show_outcome
from .plan import make_plan
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
        if not yes:
            check_terminal()
            await _print_losses(client)
        confirm(f"Roll {node} back from {client.info.vsn} to {client.info.permanent}?", yes)
        started = await client.request(methods.ROLLBACK, request)
        return await follow_restart(client, cookie_file, started.operation, output)

    show_outcome(with_client(node, cookie_file, roll_back), output, wanted=("reverted",))


async def _print_losses(client: Client) -> None:
    """Print what the rollback would lose, as far as a plan can be made. A node may need the rollback without a plan."""
    with suppress(Refused):
        for sentence in (await make_plan(client, client.info.permanent)).lost:
            click.echo(sanitize(sentence))


VERBS = (rollback,)

"""`hotdash commit`: make the current release permanent."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

import click

from hotdash.model.styled_text import sanitize
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client, MissedEvents
from node_runtime.protocol.exit_codes import Refused

from . import tables
from .confirmation import confirm_at_terminal
from .operation_outcome import follow_operation, show_outcome
from .output import print_table
from .processes.crashes import crash_sentence, crashes_since, newest_install
from .session import with_client
from .shared_options import node_options, output_option, reason_option, terminal_yes_option


@click.command()
@node_options
@terminal_yes_option
@reason_option
@output_option
def commit(node: str, cookie_file: Path | None, yes: bool, reason: str | None, output: str) -> None:
    """Make the current release permanent, so that the node boots it from now on."""

    async def commit_release(client: Client) -> m.Operation:
        if client.info.vsn != client.info.permanent:
            confirm_at_terminal(f"make {client.info.vsn} permanent on {node}?", yes)
        return await client.request(methods.COMMIT, m.Commit(reason=reason))

    show_outcome(with_client(node, cookie_file, commit_release), output, wanted=("committed",))


async def commit_when_healthy(client: Client, vsn: str, reason: str | None, output: str, *, yes: bool) -> m.Operation:
    """Wait until the health of the release `vsn` is good, commit the release, and return the commit as an operation.

    If processes have crashed since the install, name them, and ask at a terminal, unless `yes`. If the probation ends
    first, for example by a revert, follow the node's newest operation instead, and return it.
    """
    if await wait_until_healthy(client, vsn, output):
        install = await newest_install(client, vsn)
        if install is not None and (crashes := await crashes_since(client, install)):
            click.echo(sanitize(crash_sentence(crashes)), err=True)
            if yes:
                click.echo(f"{vsn} is committed nevertheless, because of --yes; its health is good.", err=True)
            try:
                confirm_at_terminal(f"make {vsn} permanent nevertheless?", yes)
            except Refused as declined:
                raise Refused(f"{vsn} is not committed; it stays on probation.", declined.code) from None
        return await client.request(methods.COMMIT, m.Commit(reason=reason))
    return await follow_newest(client, output)


async def wait_until_healthy(client: Client, vsn: str, output: str) -> bool:
    """Return True as soon as the health of the release `vsn` is good, and False if its probation ends before that."""
    printed = ""
    async with aclosing(client.events()) as events:
        async for event in events:
            if not isinstance(event, MissedEvents) and event.kind not in ("release", "operation", "vitals"):
                continue
            listed = (await client.request(methods.RELEASES)).releases
            release = next((one for one in listed if one.vsn == vsn), None)
            health = release.health if release is not None else None
            if health is None or health.verdict == "bad":
                break
            if health.verdict == "good":
                return True
            if health.finding != printed and output == "table":
                print_table(tables.text(f"on probation: {health.finding}", "muted"))
            printed = health.finding
    return False


async def follow_newest(client: Client, output: str) -> m.Operation:
    """Follow the node's newest operation to its end."""
    newest = (await client.request(methods.OPERATIONS, m.ListLimit(limit=1))).operations[-1]
    return await follow_operation(client, newest.id, output)


VERBS = (commit,)

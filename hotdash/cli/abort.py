"""`hotdash abort`: end an operation that has not changed anything yet."""

from __future__ import annotations

from pathlib import Path

import click

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client

from .operation_outcome import follow_operation, show_outcome
from .session import with_client
from .shared_options import node_options, output_option, reason_option


@click.command()
@node_options
@reason_option
@output_option
def abort(node: str, cookie_file: Path | None, reason: str | None, output: str) -> None:
    """End the running operation of NODE while it still prepares or waits, before it changes anything."""

    async def abort_operation(client: Client) -> m.Operation:
        ended = await client.request(methods.ABORT, m.Abort(reason=reason))
        return await follow_operation(client, ended.operation, output)

    show_outcome(with_client(node, cookie_file, abort_operation), output, wanted=("aborted",))


VERBS = (abort,)

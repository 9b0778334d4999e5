"""Progress of a rehearsal on stderr, while a verb waits for the node."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Final

import click

from hotdash.model.styled_text import sanitize
from node_runtime.protocol.client import Client, MissedEvents

QUIET_SECONDS: Final = 0.5
"""Seconds before the first progress line; a short rehearsal prints none."""
CANCEL_RETRY_SECONDS: Final = 0.05
"""Seconds after which a cancellation without effect is repeated."""


@asynccontextmanager
async def reporting_rehearsals(client: Client) -> AsyncIterator[None]:
    """Report on stderr how many processes the node has rehearsed, if the rehearsal takes long."""
    reporter = asyncio.create_task(_report(client))
    try:
        yield
    finally:
        while not reporter.done():  # wait_for of Python 3.11 loses a cancellation that arrives with its result
            reporter.cancel()
            await asyncio.wait([reporter], timeout=CANCEL_RETRY_SECONDS)
        if not reporter.cancelled():
            # Retrieve the exception, so that asyncio does not log it; the verb itself reports a lost node.
            reporter.exception()


async def _report(client: Client) -> None:
    began = time.monotonic()
    async with aclosing(client.events()) as events:
        async for event in events:
            if isinstance(event, MissedEvents) or event.kind != "rehearsal" or time.monotonic() < began + QUIET_SECONDS:
                continue
            click.echo(sanitize(event.text), err=True)

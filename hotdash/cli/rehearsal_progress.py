"""What is told on stderr while a verb waits for the node."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Final

import click

from hotdash.model.styled_text import plain
from node_runtime.protocol.client import Client, Missed

WONDERING: Final = 0.5
"""Seconds after which somebody who waits wonders."""
AGAIN: Final = 0.05


@asynccontextmanager
async def told_of_rehearsals(client: Client) -> AsyncIterator[None]:
    """Say meanwhile how far the node is with a rehearsal, if that takes long."""
    teller = asyncio.create_task(_tell(client))
    try:
        yield
    finally:
        while not teller.done():  # wait_for of Python 3.11 forgets a cancellation that comes with its result
            teller.cancel()
            await asyncio.wait([teller], timeout=AGAIN)
        if not teller.cancelled():
            teller.exception()  # the verb itself says what became of the node


async def _tell(client: Client) -> None:
    began = time.monotonic()
    async with aclosing(client.events()) as events:
        async for event in events:
            if isinstance(event, Missed) or event.kind != "rehearsal" or time.monotonic() < began + WONDERING:
                continue
            click.echo(plain(event.text), err=True)

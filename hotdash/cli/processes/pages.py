"""Reads processes and the tree of a node page by page, so that neither client nor node collects all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TypeVar

from msgspec.structs import replace

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.clip import MAX_SHOWN_NAME, clip
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.methods import Method

P = TypeVar("P", bound=m.WireStruct)
R = TypeVar("R", bound=m.WireStruct)

PAGE_ROWS = 1000
"""The number of rows in a page. A node sends no larger page."""
BUSY_PAUSE_SECONDS = 1.0
MAX_BUSY_PAUSES = 120
"""The maximum number of repeated requests for a page while the client's budget, such as a viewer's, is used up."""


async def process_pages(
    client: Client, query: m.ProcessQuery, limit: int | None
) -> AsyncGenerator[m.ProcessPage, None]:
    """Yield the pages of a query, at most `limit` rows in all."""
    offset = query.offset
    end = None if limit is None else offset + limit
    while True:
        wanted = PAGE_ROWS if end is None else min(PAGE_ROWS, end - offset)
        page = await _patiently(client, methods.PROCESSES, replace(query, offset=offset, limit=wanted))
        yield page
        offset += wanted
        if offset >= page.matched or (end is not None and offset >= end):
            return


async def tree_pages(client: Client, query: m.TreeQuery) -> AsyncGenerator[m.TreePage, None]:
    """Yield the pages of the tree."""
    offset = 0
    while True:
        page = await _patiently(client, methods.TREE, replace(query, offset=offset, limit=PAGE_ROWS))
        yield page
        offset += PAGE_ROWS
        if offset >= page.length:
            return


async def find_process(client: Client, target: str) -> m.ProcessRow:
    """Return the live process whose name or pid is `target`. A pid is written as 12 or <12>.

    Raises Refused if there is no such process.
    """
    number = target.strip("<>")
    pids = (int(number),) if number.isascii() and number.isdigit() and len(number) < 18 else ()
    page = await client.request(methods.PROCESSES, m.ProcessQuery(names=(target,), pids=pids))
    named = next((row for row in page.rows if row.name == target), None)
    if named is not None or page.rows:
        return named or page.rows[0]
    name, shown = client.info.name, clip(target, MAX_SHOWN_NAME)
    raise Refused(f"{name} has no process {shown}; 'hotdash ps {name}' lists the live processes.", ExitCode.REFUSED)


async def titles_of(client: Client, pids: set[int]) -> dict[int, str]:
    """Return the title of each process with one of these pids: its name, else its child id, else its module."""
    if not pids:
        return {}
    page = await client.request(methods.PROCESSES, m.ProcessQuery(pids=tuple(pids)[:PAGE_ROWS], limit=PAGE_ROWS))
    return {row.pid: row.name or row.child_id or row.module for row in page.rows}


async def _patiently(client: Client, method: Method[P, R], query: P) -> R:
    """Send a query. If the node refuses it because the client sends too many requests, wait and send it again."""
    for _ in range(MAX_BUSY_PAUSES):
        try:
            return await client.request(method, query)
        except Refused as refused:
            if refused.retry_after is None:
                raise
            await asyncio.sleep(BUSY_PAUSE_SECONDS)
    return await client.request(method, query)

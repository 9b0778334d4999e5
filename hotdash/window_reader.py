"""Reads what the open view shows of processes: the visible rows of the tree or the list, and the selected process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from textual.message import Message

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import ExitCode, Refused

from .messages import NamesReceived, ProcessesReceived, QueryRefused, StateReceived, TreeReceived
from .model.process_tree import title_of
from .model.selection import ProcessKey
from .model.view_state import DataNeeds
from .model.windows import (
    ProcessWindow,
    TreeWindow,
    is_incomplete,
    next_query,
    process_window,
    same_question,
    tree_window,
)

READ_SECONDS = 1.0
"""Seconds between two readings of the same window, and of the selected process."""
MIN_READ_GAP_SECONDS = 0.02
"""The minimum number of seconds between two readings, however often the window moves."""
MAX_NAMED = 100
"""The maximum number of processes in old code whose titles are read."""


Q = TypeVar("Q", m.ProcessQuery, m.TreeQuery)
P = TypeVar("P", m.ProcessPage, m.TreePage)
W = TypeVar("W", ProcessWindow, TreeWindow)


class WindowReader:
    """Reads and posts what the last `set_needs` has named: windows (ranges of a list's rows), and one process."""

    def __init__(self, post: Callable[[Message], object]) -> None:
        self._post = post
        self._needs = DataNeeds()
        self._window_due = asyncio.Event()
        self._state_due = asyncio.Event()
        self._tree: TreeWindow | None = None
        self._processes: ProcessWindow | None = None

    def set_needs(self, needs: DataNeeds) -> None:
        """Set what is read from now on. If only the selected process has changed, only that process is read at once."""
        before, self._needs = self._needs, needs
        if not (same_question(before.tree, needs.tree) and same_question(before.processes, needs.processes)):
            self._window_due.set()
        if before.process != needs.process:
            self._state_due.set()

    def refresh(self) -> None:
        """Read everything now."""
        self._window_due.set()
        self._state_due.set()

    async def run(self, client: Client) -> None:
        """Read until cancelled, or until the connection is lost."""
        self._tree = self._processes = None
        self.refresh()
        await asyncio.gather(
            self._repeat(client, self._window_due, self._read_windows),
            self._repeat(client, self._state_due, self._read_state),
        )

    async def read_names(self, client: Client, modules: tuple[m.ModuleInfo, ...]) -> None:
        """Read the titles of the processes that run old code."""
        pids = tuple(sorted({pid for module in modules for pid in module.old_pids}))[:MAX_NAMED]
        if pids:
            page = await client.request(methods.PROCESSES, m.ProcessQuery(pids=pids, limit=MAX_NAMED))
            self._post(NamesReceived({row.pid: title_of(row) for row in page.rows}))

    async def _repeat(self, client: Client, due: asyncio.Event, read: Callable[[Client], Awaitable[None]]) -> None:
        while True:
            due.clear()
            try:
                await read(client)
            except Refused as refusal:
                if refusal.code == ExitCode.UNREACHABLE:
                    return
                if refusal.code == ExitCode.USAGE:
                    self._post(QueryRefused(refusal.sentence))
            await asyncio.sleep(MIN_READ_GAP_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(READ_SECONDS):
                    await due.wait()

    async def _read_windows(self, client: Client) -> None:
        if (tree := self._needs.tree) is not None:
            self._tree = await _read_window(client, methods.TREE, tree, self._tree, tree_window)
            self._post(TreeReceived(self._tree))
        if (processes := self._needs.processes) is not None:
            self._processes = await _read_window(client, methods.PROCESSES, processes, self._processes, process_window)
            self._post(ProcessesReceived(self._processes))

    async def _read_state(self, client: Client) -> None:
        key = self._needs.process
        if key is not None and key.boot_id == client.info.boot_id:
            await self._read_process(client, key)

    async def _read_process(self, client: Client, key: ProcessKey) -> None:
        try:
            state = await client.request(methods.STATE, m.GetState(pid=key.pid))
        except Refused as refusal:
            self._post(StateReceived(key, None, refusal.sentence))
        else:
            self._post(StateReceived(key, state))


async def _read_window(
    client: Client, method: methods.Method[Q, P], wanted: Q, known: W | None, make: Callable[[Q, P, W | None], W]
) -> W:
    """Read the changed rows of the known window. If rows are missing afterwards, read all rows of the window."""
    query = next_query(wanted, known, client.info.boot_id)
    window = make(query, await client.request(method, query), known)
    if is_incomplete(window):
        query = next_query(wanted, None, client.info.boot_id)
        window = make(query, await client.request(method, query), None)
    return window

"""The connection to the node. The link reads from the node and posts messages to the dashboard.

After each event that may have changed the summary of the node, the link reads the summary. It also reads the rows and
the process that the open view shows. When the connection is lost, the link retries until it reconnects.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import NoReturn, TypeVar

from textual.message import Message

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client, MissedEvents
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.local_user import local_user
from node_runtime.protocol.methods import Method
from node_runtime.protocol.run_directory import NodeAddress, locate_again

from .messages import (
    ConnectionChanged,
    EventReceived,
    HistoryReceived,
    OldCodeReceived,
    SnapshotReceived,
)
from .model.connection import Connection
from .model.view_state import DataNeeds
from .window_reader import WindowReader

P = TypeVar("P", bound=m.WireStruct)
R = TypeVar("R", bound=m.WireStruct)

POLL_SECONDS = 1.0
"""Seconds between two readings of the values that change without events."""
SLOW_POLL_SECONDS = 5.0
"""Seconds between two readings of the summary while the open view shows none of the values that change without events.
"""
MIN_SNAPSHOT_GAP_SECONDS = 0.2
"""The minimum number of seconds between two summaries, however many events arrive."""
RECONNECT_DELAYS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each attempt to reconnect; the last value repeats."""
OLD_CODE_SECONDS = 5.0
"""Seconds between two requests for the list of what keeps old versions."""
REFUSED_RETRY_SECONDS = 30.0
"""Seconds before a refused cookie is tried again."""


class NodeLink:
    """Watches the node at `address`, and calls `post` with each message."""

    live = True

    def __init__(
        self, address: NodeAddress, post: Callable[[Message], object], *, delays: tuple[float, ...] = RECONNECT_DELAYS
    ):
        self._address = address
        self._post = post
        self._delays = delays
        self._client: Client | None = None
        self._needs = DataNeeds()
        self._reader = WindowReader(post)
        self._old_code_due = 0.0
        self._poll_due = asyncio.Event()
        self._retry_now = asyncio.Event()
        self._running: asyncio.Task[NoReturn] | None = None

    # -------------------------------------------------------------- called by the dashboard

    def set_needs(self, needs: DataNeeds) -> None:
        """Set which data the open view needs from now on."""
        if needs.snapshots and not self._needs.snapshots:
            self._poll_due.set()
        self._needs = needs
        self._reader.set_needs(needs)

    def refresh(self) -> None:
        """Read everything now; if the connection was lost, reconnect now."""
        self._poll_due.set()
        self._reader.refresh()
        self._retry_now.set()

    async def request(self, method: Method[P, R], params: P | None = None, *, timeout: float = 10.0) -> R:
        """Send a request; return the reply. Raises Refused, with the code UNREACHABLE while there is no connection."""
        return await self._connected().request(method, params, timeout=timeout)

    async def stage(self, path: Path, progress: Callable[[int, int], None]) -> m.ReleaseInfo:
        """Upload a release's tarball."""
        return await self._connected().stage(path, progress)

    def _connected(self) -> Client:
        if self._client is None:
            sentence = f"There is no connection to {self._address.name}; nothing was sent."
            raise Refused(sentence, ExitCode.UNREACHABLE)
        return self._client

    # -------------------------------------------------------------- the loop

    def start(self) -> None:
        """Start to watch the node.

        The link runs in an asyncio task and not in a Textual worker: Textual may cancel a worker
        twice, and the second cancellation would leave sockets open.
        """
        self._running = asyncio.create_task(self._run(), name="link")
        self._running.add_done_callback(self._report_failure)

    async def close(self) -> None:
        """Stop watching the node; return when the sockets are closed."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait((self._running,))

    def _report_failure(self, running: asyncio.Task[NoReturn]) -> None:
        if not running.cancelled() and (error := running.exception()) is not None:
            sentence = (
                f"hotdash failed ({type(error).__name__}: {error}) and no longer reads the node; start hotdash again."
            )
            self._post_connection(Connection("lost", time.time(), sentence))

    async def _run(self) -> NoReturn:
        """Connect, watch, and reconnect when the connection is lost; never returns."""
        self._post_connection(Connection("connecting", time.time()))
        attempts, lost = 0, time.time()
        while True:
            refusal, connected = await self._session()
            if connected:
                attempts, lost = 0, time.time()
            delay = self._delays[min(attempts, len(self._delays) - 1)]
            if refusal.code == ExitCode.NOT_ALLOWED:
                delay = REFUSED_RETRY_SECONDS
            attempts += 1
            refused = refusal.code == ExitCode.NOT_ALLOWED
            self._post_connection(Connection("lost", lost, refusal.sentence, time.time() + delay, refused))
            await self._wait_for_retry(delay)

    async def _session(self) -> tuple[Refused, bool]:
        """Run one connection; return why it ended, and whether it was established."""
        connected = False
        try:
            self._address = locate_again(self._address)
            async with Client.connect(self._address, user=local_user(), client_name="hotdash") as client:
                self._client = client
                connected = True
                await self._watch(client)
        except Refused as refusal:
            return refusal, connected
        finally:
            self._client = None

    async def _wait_for_retry(self, seconds: float) -> None:
        self._retry_now.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._retry_now.wait()

    def _post_connection(self, connection: Connection) -> None:
        self._post(ConnectionChanged(connection))

    async def _watch(self, client: Client) -> NoReturn:
        """Post the node's events, and read a snapshot after each event that may change it.

        Raises Refused when the connection is lost.
        """
        tasks = [asyncio.create_task(self._poll(client)), asyncio.create_task(self._reader.run(client))]
        try:
            async with aclosing(client.events()) as events:
                async for item in events:
                    if isinstance(item, MissedEvents):
                        await self._catch_up(client)
                        self._post_connection(Connection("live", time.time()))
                        continue
                    self._post(EventReceived(item))
                    if item.kind == "process":
                        self._reader.refresh()
                    elif item.kind not in ("vitals", "log", "rehearsal"):
                        self._poll_due.set()
                        self._reader.refresh()
            raise Refused(f"{self._address.name} has closed its event stream.", ExitCode.UNREACHABLE)
        finally:
            self._client = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _catch_up(self, client: Client) -> None:
        """Post a snapshot, the past events and the past operations, because events were missed."""
        self._post(SnapshotReceived(await client.request(methods.SUMMARY)))
        past = await client.request(methods.EVENTS, m.ListLimit(limit=200))
        operations = await client.request(methods.OPERATIONS, m.ListLimit(limit=50))
        self._post(HistoryReceived(past.events, operations.operations))

    async def _poll(self, client: Client) -> None:
        # On Python 3.11 asyncio.wait_for may swallow a cancellation, so the loop also ends with its client.
        while client is self._client:
            self._poll_due.clear()
            with suppress(Refused):  # the screen shows the summary's age; a lost connection also ends `_watch`
                summary = await client.request(methods.SUMMARY)
                self._post(SnapshotReceived(summary))
                await self._reader.read_names(client, summary.modules)
                await self._read_old_code(client, summary)
            await asyncio.sleep(MIN_SNAPSHOT_GAP_SECONDS)
            pause = POLL_SECONDS if self._needs.snapshots else SLOW_POLL_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(pause - MIN_SNAPSHOT_GAP_SECONDS):
                    await self._poll_due.wait()

    async def _read_old_code(self, client: Client, snapshot: m.NodeSummary) -> None:
        """Read what keeps old versions. This is rare, because the node makes a copy of itself for each answer."""
        old = any(module.old_vsn is not None for module in snapshot.modules)
        if self._needs.old_code and old and time.monotonic() >= self._old_code_due:
            found = await client.request(methods.OLD_CODE)
            self._old_code_due = time.monotonic() + OLD_CODE_SECONDS
            self._post(OldCodeReceived(found.modules))

"""The one owner of the connection to the node: it reads, and posts what it read; it never touches a screen.

It looks no more than it must: a snapshot at once after an event that changes the picture, one a second while a view
shows what moves without events, and the state of one process. A lost node is looked for again, for ever.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from typing import NoReturn, TypeVar

from textual.message import Message

from hotdash.messages import ConnectionChanged, EventSeen, PastRead, SnapshotTaken, StateSeen
from hotdash.model.connection import Connection
from hotdash.model.selection import ProcessKey
from hotdash.model.view_state import Wants
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client, Missed
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.methods import Method
from node_runtime.protocol.run_directory import Address, locate, read_record

P = TypeVar("P", bound=m.Struct)
R = TypeVar("R", bound=m.Struct)

TICK = 1.0
"""Seconds between two looks at what moves without events."""
BREATH = 0.2
"""Seconds between two snapshots at least, however much happens."""
DELAYS = (0.25, 0.5, 1.0, 2.0, 4.0)
REFUSED_DELAY = 30.0
"""Seconds until a refused cookie is tried again."""


class Link:
    """Watches the node at `address` and says everything by `post`."""

    def __init__(self, address: Address, post: Callable[[Message], object], *, delays: tuple[float, ...] = DELAYS):
        self._address = address
        self._post = post
        self._delays = delays
        self._client: Client | None = None
        self._wants = Wants()
        self._due = asyncio.Event()
        self._again = asyncio.Event()
        self._running: asyncio.Task[NoReturn] | None = None

    # -------------------------------------------------------------- asked by the dashboard

    def want(self, wants: Wants) -> None:
        """From now on look at this."""
        if wants != self._wants:
            self._wants = wants
            self._due.set()

    def refresh(self) -> None:
        """Look now; if the node was lost, try it now."""
        self._due.set()
        self._again.set()

    async def request(self, method: Method[P, R], params: P | None = None, *, timeout: float = 10.0) -> R:
        """Ask the node. Raises Refused, UNREACHABLE while there is no connection."""
        return await self._connected().request(method, params, timeout=timeout)

    async def stage(self, path: Path, progress: Callable[[int, int], None]) -> m.ReleaseInfo:
        """Upload a release's tarball."""
        return await self._connected().stage(path, progress)

    def _connected(self) -> Client:
        if self._client is None:
            sentence = f"There is no connection to {self._address.name} now; nothing was asked of it."
            raise Refused(sentence, ExitCode.UNREACHABLE)
        return self._client

    # -------------------------------------------------------------- the loop

    def start(self) -> None:
        """Begin to watch. A task of its own, as Textual may cancel a worker twice and so leave sockets open."""
        self._running = asyncio.create_task(self._run(), name="link")
        self._running.add_done_callback(self._ended)

    async def close(self) -> None:
        """Stop watching; returns when the sockets are closed."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait((self._running,))

    def _ended(self, running: asyncio.Task[NoReturn]) -> None:
        if not running.cancelled() and (error := running.exception()) is not None:
            sentence = f"hotdash itself failed and watches no longer: {type(error).__name__}: {error}."
            self._say(Connection("lost", time.time(), sentence))

    async def _run(self) -> NoReturn:
        """Connect, watch, and begin again when the node is lost; never returns."""
        self._say(Connection("connecting", time.time()))
        tries, lost = 0, time.time()
        while True:
            refusal, lived = await self._session()
            if lived:
                tries, lost = 0, time.time()
            delay = self._delays[min(tries, len(self._delays) - 1)]
            if refusal.code == ExitCode.NOT_ALLOWED:
                delay = REFUSED_DELAY
            tries += 1
            self._say(Connection("lost", lost, refusal.sentence, time.time() + delay))
            await self._pause(delay)

    async def _session(self) -> tuple[Refused, bool]:
        """One connection from its begin to its end: why it ended, and whether it ever stood."""
        lived = False
        try:
            self._address = _relocated(self._address)
            async with Client.connect(self._address, user=_user(), client_name="hotdash") as client:
                self._client = client
                lived = True
                await self._watch(client)
        except Refused as refusal:
            return refusal, lived
        finally:
            self._client = None

    async def _pause(self, seconds: float) -> None:
        self._again.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._again.wait()

    def _say(self, connection: Connection) -> None:
        self._post(ConnectionChanged(connection))

    async def _watch(self, client: Client) -> NoReturn:
        """Until the node is lost, which is Refused: follow the events, and look when there is something to see."""
        looking = asyncio.create_task(self._look(client))
        try:
            async with aclosing(client.events()) as events:
                async for item in events:
                    if isinstance(item, Missed):
                        await self._catch_up(client)
                        self._say(Connection("live", time.time()))
                        continue
                    self._post(EventSeen(item))
                    if item.kind not in ("vitals", "log", "rehearsal"):
                        self._due.set()
            raise Refused(f"{self._address.name} has ended its events.", ExitCode.UNREACHABLE)
        finally:
            self._client = None
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def _catch_up(self, client: Client) -> None:
        """Everything that events would have told."""
        self._post(SnapshotTaken(await client.request(methods.SNAPSHOT)))
        past = await client.request(methods.EVENTS, m.Limit(limit=200))
        operations = await client.request(methods.OPERATIONS, m.Limit(limit=50))
        self._post(PastRead(past.events, operations.operations))

    async def _look(self, client: Client) -> None:
        # On Python 3.11 asyncio.wait_for may swallow a cancellation, so the end is looked for, too.
        while client is self._client:
            event_or_wish = self._due.is_set()
            self._due.clear()
            try:
                if self._wants.pictures or event_or_wish:
                    self._post(SnapshotTaken(await client.request(methods.SNAPSHOT)))
                if self._wants.process is not None and self._wants.process.boot_id == client.info.boot_id:
                    await self._look_at(client, self._wants.process)
            except Refused:
                pass  # a node that does not answer shows by the age of the picture; a lost one ends the events
            await asyncio.sleep(BREATH)
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK - BREATH):
                    await self._due.wait()

    async def _look_at(self, client: Client, key: ProcessKey) -> None:
        try:
            state = await client.request(methods.STATE, m.GetState(pid=key.pid))
        except Refused as refusal:
            self._post(StateSeen(key, None, refusal.sentence))
        else:
            self._post(StateSeen(key, state))


def _relocated(address: Address) -> Address:
    """Where the node is now: one of this machine may have come back on another port, or from another directory."""
    if address.record is None:
        return address
    record = read_record(address.name)
    if record is None or record.directory != address.record.directory:
        return locate(address.name)
    return replace(address, host=record.host, port=record.port, record=record)


def _user() -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return f"{name}@{os.uname().nodename}"

"""An open-loop client: it asks for pages at a constant rate, however fast the answers come.

The time of an answer counts from the moment at which its request was due, so a server that stops for a while delays all
the requests of that while, as it does for real visitors. `python -m benchmarks.load.generator SITE PORT RATE` prints
"ready", asks until its standard input ends, and prints its counts as JSON. A rate of 0 asks on each connection as soon
as it has the answer to the last request, which measures the capacity.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Any, Final, NamedTuple, cast

import httptools
import uvloop

from .counts import Counts
from .sites import SITES, Page
from .standard_streams import print_counts, serve_input

CONNECTIONS: Final = 32
TICK_SECONDS: Final = 0.001
"""The time between two looks for requests that are due."""
ANSWER_SECONDS: Final = 30.0
"""After the last request, an answer has this time to come."""


class Due(NamedTuple):
    """A request: for which page, and the moment at which it has to be sent."""

    page: Page
    moment: float


class Connection(asyncio.Protocol):
    """One connection, which has at most one open request."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self._transport: asyncio.Transport
        self.request: Due | None = None

    def ask(self, request: Due) -> None:
        """Send a request."""
        self.request = request
        self._transport.write(request.page.request)

    def close(self) -> None:
        """Close the connection without an error."""
        self._transport.abort()

    # ------------------------------------------------------------------ called by the transport and the parser

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's class is no subclass

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._generator.counts.fault("wrong", f"no HTTP: {error} in {data[:60]!r}")
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._generator.lost(self)

    def on_message_begin(self) -> None:
        self._body = b""

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        request, self.request = self.request, None
        self._generator.answered(self, request, self._parser.get_status_code(), self._body)


class Generator:
    """Asks a site for its pages, in turn, over a number of connections. A rate of 0 means as fast as it answers."""

    def __init__(self, pages: Sequence[Page], port: int, rate: float, connections: int = CONNECTIONS) -> None:
        self.counts = Counts()
        self._port = port
        self._rate = rate
        self._pages: Iterator[Page] = itertools.cycle(pages)
        self._wanted = connections
        self._open: set[Connection] = set()
        self._idle: deque[Connection] = deque()
        self._waiting: deque[Due] = deque()
        """Requests that are due while no connection is idle."""
        self._opening: set[asyncio.Task[None]] = set()
        self._asks_again = self._is_closing = False
        self._loop = asyncio.get_running_loop()

    async def run(self, ended: asyncio.Event) -> None:
        """Ask until `ended`, then wait for the last answers."""
        if self._rate:
            await self._ask_when_due(ended)
        else:
            self._asks_again = True
            while self._idle:
                self._send(Due(next(self._pages), perf_counter()))
            await ended.wait()
            self._asks_again = False
        await self._last_answers()

    async def open(self) -> None:
        """Open all connections."""
        await asyncio.gather(*(self._connect() for _ in range(self._wanted)))

    def close(self) -> None:
        """Close all connections; what has no answer by now has failed."""
        self._is_closing = True
        for connection in list(self._open):
            if connection.request is not None:
                self.counts.fault("failed", f"{connection.request.page.path} got no answer")
            connection.close()
        self.counts.failed += len(self._waiting)

    # ------------------------------------------------------------------ called by connections

    def answered(self, connection: Connection, request: Due | None, status: int, body: bytes) -> None:
        """Check an answer, and use the connection for the next request."""
        if request is None:
            self.counts.fault("doubled", f"an answer that nobody asked for: {status} {body[:60]!r}")
            return
        now = perf_counter()
        self.counts.seconds.append(now - request.moment)
        if not request.page.is_right(status, body):
            self.counts.fault("wrong", f"{request.page.path}: {status} {body[:60]!r}")
        if self._waiting:
            connection.ask(self._waiting.popleft())
        elif self._asks_again:
            self.counts.sent += 1
            connection.ask(Due(next(self._pages), now))
        else:
            self._idle.append(connection)

    def lost(self, connection: Connection) -> None:
        """Count a connection that the server has closed, and open another one."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if self._is_closing:
            return
        self.counts.fault("dropped", "the server closed a connection")
        if connection.request is not None:
            self.counts.fault("failed", f"{connection.request.page.path}: the connection ended before the answer")
        task = self._loop.create_task(self._connect())
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    # ------------------------------------------------------------------ internals

    async def _connect(self) -> None:
        try:
            _, connection = await self._loop.create_connection(lambda: Connection(self), "127.0.0.1", self._port)
        except OSError as error:
            self.counts.fault("failed", f"no connection: {error}")
            return
        self._open.add(connection)
        if self._waiting:
            connection.ask(self._waiting.popleft())
        else:
            self._idle.append(connection)

    async def _ask_when_due(self, ended: asyncio.Event) -> None:
        began, number = perf_counter(), 0
        while not ended.is_set():
            now = perf_counter()
            while (moment := began + number / self._rate) <= now:
                number += 1
                self._send(Due(next(self._pages), moment))
            await asyncio.sleep(max(TICK_SECONDS, moment - perf_counter()))

    def _send(self, request: Due) -> None:
        self.counts.sent += 1
        if self._idle:
            self._idle.popleft().ask(request)
        else:
            self._waiting.append(request)

    async def _last_answers(self) -> None:
        deadline = perf_counter() + ANSWER_SECONDS
        while perf_counter() < deadline:  # an answer sets no event
            if not self._waiting and all(connection.request is None for connection in self._open):
                return
            await asyncio.sleep(0.01)


async def generate(pages: Sequence[Page], port: int, rate: float) -> None:
    """Ask until the standard input ends, and print the counts."""
    generator = Generator(pages, port, rate)
    await generator.open()
    print("ready", flush=True)
    gc.collect()
    gc.disable()  # a collection would look like a slow answer
    ended = asyncio.Event()
    await asyncio.gather(serve_input(generator.counts, ended), generator.run(ended))
    generator.close()
    print_counts(generator.counts)


if __name__ == "__main__":
    words: Any = sys.argv[1:]
    uvloop.run(generate(SITES[words[0]], int(words[1]), float(words[2])))

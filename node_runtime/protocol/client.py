"""The client of the control endpoint: one connection to one boot of a node.

    async with Client.connect(locate("fil@127.0.0.1"), user="ana", client_name="hotdash") as client:
        snapshot = await client.request(methods.SNAPSHOT)

A client never reconnects. A restarted node has another boot id and perhaps another port, so the caller must call
`locate` again. Every failure raises a `Refused` with a sentence and an exit code.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import zmq

from . import messages as m
from . import methods
from .connection.client_socket import ClientSocket
from .connection.connection_errors import ClosedEarly, disconnected, handshake_failed, not_understood, unreachable
from .exit_codes import ExitCode, Refused
from .file_hash import size_and_sha256
from .run_directory import NodeAddress
from .signature_file import read_signature
from .wire import (
    MAX_REQUEST_BYTES,
    UPLOAD_CHUNK_BYTES,
    MalformedMessage,
    pack,
    unpack,
)

if TYPE_CHECKING:
    from .methods import Method

P = TypeVar("P", bound=m.WireStruct)
R = TypeVar("R", bound=m.WireStruct)

CONNECT_TIMEOUT_SECONDS = 5.0
RETRY_PAUSES_SECONDS = (0.1, 0.3, 0.6)
"""The pauses before further attempts if the node closes the connection before its first reply."""
REQUEST_TIMEOUT_SECONDS = 10.0
UNPACK_TIMEOUT_SECONDS = 120.0
PLAN_TIMEOUT_SECONDS = 150.0
"""The time limit for a plan. It allows for another operator's plan before this one, each with a rehearsal of 60 s."""
POLL_INTERVAL_SECONDS = 1.0
MAX_UNREAD_EVENTS = 1000
"""The maximum number of events that wait for a reader of `Client.events`."""

_HANDSHAKE_FAILED = {
    zmq.Event.HANDSHAKE_FAILED_NO_DETAIL,
    zmq.Event.HANDSHAKE_FAILED_PROTOCOL,
    zmq.Event.HANDSHAKE_FAILED_AUTH,
}
_GONE = {zmq.Event.DISCONNECTED, zmq.Event.CLOSED}


@dataclass(frozen=True, slots=True)
class MissedEvents:
    """A gap in a stream of events: events before it may be missing, so the reader has to take a new snapshot.

    Each stream begins with a MissedEvents, because the events before its start are missing. Another MissedEvents marks
    each gap that the client finds. `count` is the number of missing events, or 0 if the number is unknown.
    """

    count: int = 0


class _EventStream:
    """The events that have arrived for one reader. A slow reader loses the oldest events."""

    def __init__(self) -> None:
        self._arrived: deque[bytes] = deque(maxlen=MAX_UNREAD_EVENTS)
        self._reader: asyncio.Future[None] | None = None

    def add(self, event: bytes) -> None:
        """Append a packed event."""
        self._arrived.append(event)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def end(self, why: Refused) -> None:
        """If the reader waits for an event, make it raise `why`."""
        if self._reader is not None and not self._reader.done():
            self._reader.set_exception(why)

    async def next(self) -> bytes:
        """Return the next event, still packed. Raises Refused if the stream has ended."""
        if not self._arrived:
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        return self._arrived.popleft()


class Client:
    """A connection to a node; made by `Client.connect`.

    One connection carries the requests, their replies, and the events. `info` is the node's reply to `hello`, the first
    request.
    """

    info: m.NodeInfo

    def __init__(self, address: NodeAddress) -> None:
        self._address = address
        self._socket = ClientSocket(address, self._on_message, self._on_connection_event)
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[m.Reply]] = {}
        self._streams: list[_EventStream] = []
        self._loop = asyncio.get_running_loop()
        self._connected: float | None = None
        self._introduced = False
        self._handshake: asyncio.Future[None] = self._loop.create_future()
        self._lost: Refused | None = None

    @classmethod
    @asynccontextmanager
    async def connect(cls, address: NodeAddress, *, user: str, client_name: str) -> AsyncIterator[Client]:
        """Connect and introduce the client as `user`.

        Raises Refused. The code is UNREACHABLE if no node answers at the address, NOT_ALLOWED if the node doesn't know
        the cookie, and REFUSED if the node uses another protocol version.
        """
        hello = m.Hello(protocol=methods.PROTOCOL, client=client_name, user=user)
        client = await cls._connected_to(address, hello, RETRY_PAUSES_SECONDS)
        try:
            yield client
        finally:
            client._close()

    @property
    def address(self) -> NodeAddress:
        """The address of the node."""
        return self._address

    async def request(
        self, method: Method[P, R], params: P | None = None, *, timeout: float = REQUEST_TIMEOUT_SECONDS
    ) -> R:
        """Send a request to the node and wait at most `timeout` seconds for the reply.

        Raises Refused. If the node refuses the request, the error has the node's sentence and code. If no reply
        arrives, the code is UNREACHABLE for a method that changes nothing, and UNKNOWN_OUTCOME for any other method,
        because the node may have carried out the request.
        """
        packed = method.packed(params)
        if len(packed) > MAX_REQUEST_BYTES - 1024:
            raise Refused(
                f"The request {method.name!r} to {self._address.name} is too large: "
                f"{len(packed)} bytes (limit {MAX_REQUEST_BYTES - 1024})."
            )
        request_id = next(self._ids)
        future: asyncio.Future[m.Reply] = self._loop.create_future()
        self._waiting[request_id] = future
        try:
            self._require_connection()
            if not self._socket.send(pack(m.Request(id=request_id, method=method.name, params=packed))):
                raise unreachable(self._address, "does not read requests, and too many of them wait to be sent")
            async with asyncio.timeout(timeout):
                reply = await future
        except (TimeoutError, Refused) as error:
            raise self._no_reply_error(method, timeout, error) from None
        finally:
            del self._waiting[request_id]
        if reply.failure is not None:
            failure = reply.failure
            raise Refused(failure.sentence, ExitCode(failure.code), failure.operation, failure.retry_after)
        try:
            return unpack(reply.result or b"", method.result)
        except MalformedMessage:
            raise not_understood(self._address) from None

    async def plan(self, vsn: str) -> m.Plan:
        """Return the plan of an install of the release `vsn`, with its rehearsal. Raises Refused."""
        return await self.request(methods.PLAN, m.MakePlan(vsn=vsn), timeout=PLAN_TIMEOUT_SECONDS)

    async def events(self) -> AsyncGenerator[m.NodeEvent | MissedEvents, None]:
        """Yield the node's events from now on. The first item is a MissedEvents: take a snapshot when it arrives.

        The streams of several calls are independent. Raises Refused (UNREACHABLE) when the connection is lost.
        """
        stream = _EventStream()
        self._streams.append(stream)
        try:
            expected = (await self.request(methods.SUBSCRIBE)).seq + 1
            yield MissedEvents()
            while True:
                self._require_connection()
                event = self._decode_event(await stream.next())
                if event.seq < expected:
                    continue  # an event from before this stream, for another stream of this client
                if event.seq > expected:
                    yield MissedEvents(event.seq - expected)
                expected = event.seq + 1
                yield event
        finally:
            self._streams.remove(stream)
            if not self._streams and self._lost is None:
                self._unsubscribe()

    async def stage(
        self, path: Path, progress: Callable[[int, int], None] | None = None, *, allow_older: bool = False
    ) -> m.ReleaseInfo:
        """Upload the release tarball `path` and the signature beside it; the node verifies and unpacks the tarball.

        If `allow_older` is true, the node also accepts a build that is older than its newest committed build. After
        each chunk, `progress(sent, size)` is called; both arguments are numbers of bytes.
        """
        try:
            size, sha256 = await asyncio.to_thread(size_and_sha256, path)
            with path.open("rb") as file:
                begin = m.StageBegin(file_name=path.name, size=size, sha256=sha256, signature=read_signature(path))
                upload = (await self.request(methods.STAGE_BEGIN, begin)).upload
                sent = 0
                while data := await asyncio.to_thread(file.read, UPLOAD_CHUNK_BYTES):
                    await self.request(methods.STAGE_CHUNK, m.StageChunk(upload=upload, offset=sent, data=data))
                    sent += len(data)
                    if progress is not None:
                        progress(sent, size)
        except OSError as error:
            raise Refused(f"The tarball {path} can't be read: {error.strerror}.") from None
        end = m.StageEnd(upload=upload, allow_older=allow_older)
        return await self.request(methods.STAGE_END, end, timeout=UNPACK_TIMEOUT_SECONDS)

    async def follow(self, operation: str) -> AsyncGenerator[m.Operation, None]:
        """Yield the operation with the id `operation` at each change; the last item is the ended operation.

        Raises Refused (UNKNOWN_OUTCOME) if the connection is lost before the operation has ended.
        """
        try:
            async with aclosing(self._operation_states(operation)) as states:
                last: m.Operation | None = None
                async for state in states:
                    if state != last:
                        yield state
                    last = state
                    if state.ended is not None:
                        return
        except Refused as error:
            if error.code != ExitCode.UNREACHABLE:
                raise
            raise Refused(
                f"The connection to {self._address.name} was lost while operation {operation} ran, so its outcome is "
                f"unknown; when the node is back, run `hotdash results {self._address.name} {operation}`.",
                ExitCode.UNKNOWN_OUTCOME,
                operation,
            ) from None

    # -------------------------------------------------------------- the connection

    @classmethod
    async def _connected_to(cls, address: NodeAddress, hello: m.Hello, pauses: tuple[float, ...]) -> Client:
        """Connect; if the node closes the connection before its first reply, retry after each of the `pauses`."""
        client = cls(address)
        try:
            await client._open(hello)
        except BaseException as error:
            client._close()
            if not pauses or not isinstance(error, ClosedEarly):
                raise
        else:
            return client
        await asyncio.sleep(pauses[0])
        return await cls._connected_to(address, hello, pauses[1:])

    async def _open(self, hello: m.Hello) -> None:
        try:
            self._socket.connect()
        except zmq.ZMQError as error:
            raise unreachable(self._address, f"can't be reached ({error})") from None
        try:
            await asyncio.wait_for(self._handshake, CONNECT_TIMEOUT_SECONDS)
        except TimeoutError:
            raise unreachable(self._address, f"does not answer at {self._address.host}:{self._address.port}") from None
        self.info = await self.request(methods.HELLO, hello)
        self._introduced = True
        if self.info.name != self._address.name:
            raise Refused(
                f"{self.info.name} answers at {self._address.host}:{self._address.port}, not {self._address.name}; "
                f"check the port.",
                ExitCode.UNREACHABLE,
            )

    def _close(self) -> None:
        self._lose(Refused(f"The connection to {self._address.name} was closed.", ExitCode.UNREACHABLE))
        self._socket.close()

    def _on_connection_event(self, event: int) -> None:
        if event == zmq.Event.CONNECTED:
            self._connected = self._loop.time()
        elif event == zmq.Event.HANDSHAKE_SUCCEEDED and not self._handshake.done():
            self._handshake.set_result(None)
        elif event in _HANDSHAKE_FAILED:
            self._lose(handshake_failed(self._address, event, self._loop.time() - (self._connected or 0.0)))
        elif event in _GONE and self._lost is None:
            error = disconnected(
                self._address,
                had_connected=self._connected is not None,
                had_shaken_hands=self._handshake.done(),
                had_answered=self._introduced,
            )
            self._lose(error)

    def _on_message(self, data: bytes) -> None:
        try:
            reply = unpack(data, m.Reply)
        except MalformedMessage:
            self._lose(not_understood(self._address))
            return
        if reply.event is not None:
            for stream in self._streams:
                stream.add(reply.event)
            return
        waiting = self._waiting.get(reply.id)  # None: the request has timed out
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)

    def _lose(self, why: Refused) -> None:
        """Make `why` the error of all waiting requests and event streams, and of each later request."""
        if self._lost is not None:
            return
        self._lost = why
        futures: list[asyncio.Future[Any]] = [self._handshake, *self._waiting.values()]
        for future in futures:
            if not future.done():
                future.set_exception(why)
                future.exception()  # asyncio logs exceptions that are never retrieved
        for stream in self._streams:
            stream.end(why)

    def _require_connection(self) -> None:
        if self._lost is not None:
            raise self._lost

    def _unsubscribe(self) -> None:
        """Request the end of the events, without waiting for the reply."""
        request = m.Request(id=next(self._ids), method=methods.UNSUBSCRIBE.name, params=pack(m.Empty()))
        self._socket.send(pack(request))

    def _decode_event(self, data: bytes) -> m.NodeEvent:
        try:
            return unpack(data, m.NodeEvent)
        except MalformedMessage:
            raise not_understood(self._address) from None

    async def _operation_states(self, operation: str) -> AsyncGenerator[m.Operation, None]:
        """Yield the operation from its events; request it when no event arrives or events are missing."""
        wanted = m.GetOperation(operation=operation)
        async with aclosing(self.events()) as events:
            upcoming = asyncio.ensure_future(anext(events))
            try:
                while True:
                    await asyncio.wait((upcoming,), timeout=POLL_INTERVAL_SECONDS)
                    if not upcoming.done():
                        yield await self.request(methods.OPERATION, wanted)
                        continue
                    event = upcoming.result()
                    upcoming = asyncio.ensure_future(anext(events))
                    if isinstance(event, MissedEvents):
                        yield await self.request(methods.OPERATION, wanted)
                    elif event.operation is not None and event.operation.id == operation:
                        # The event of a large operation lacks its results, so request the ended operation.
                        state = event.operation
                        if state.ended is not None:
                            with suppress(Refused):  # the node may be shutting down; then yield the event's operation
                                state = await self.request(methods.OPERATION, wanted)
                        yield state
            finally:
                upcoming.cancel()
                with suppress(asyncio.CancelledError, Refused):
                    await upcoming

    # -------------------------------------------------------------- errors

    def _no_reply_error(self, method: Method[Any, Any], timeout: float, error: TimeoutError | Refused) -> Refused:
        if not isinstance(error, Refused):
            error = unreachable(self._address, f"has not answered {method.name!r} for {timeout:g} s")
        if method.changes_nothing:
            return error
        return Refused(
            f"The outcome of {method.name!r} is unknown; check the node before you repeat it. {error.sentence}",
            ExitCode.UNKNOWN_OUTCOME,
        )

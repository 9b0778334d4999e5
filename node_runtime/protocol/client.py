"""An operator's side of the control connection, for one connection to one boot of a node.

    async with Client.connect(locate("fil@127.0.0.1"), user="ana", client_name="hotdash") as client:
        snapshot = await client.request(methods.SNAPSHOT)

A client never reconnects: a node that comes back has another boot and perhaps another port, so whoever wants it back
locates it again. Everything that fails is a `Refused` with one sentence and an exit code.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import zmq
import zmq.asyncio
from zmq.utils.monitor import parse_monitor_message

from . import messages as m
from . import methods
from .exit_codes import ExitCode, Refused
from .run_directory import Address, alive
from .wire import CHUNK, HANDSHAKE_LIMIT, MAX_REPLY, MAX_REQUEST, WELCOME, Malformed, pack, prepare_socket, unpack

if TYPE_CHECKING:
    from .methods import Method

P = TypeVar("P", bound=m.Struct)
R = TypeVar("R", bound=m.Struct)
T = TypeVar("T")

CONNECT_TIMEOUT = 5.0
REQUEST_TIMEOUT = 10.0
UNPACK_TIMEOUT = 120.0
PLAN_TIMEOUT = 150.0
"""Seconds for a plan: its rehearsal has 60 by default, and one that another operator has asked for may come first."""
POLL_INTERVAL = 1.0

_HANDSHAKE_FAILED = {
    zmq.Event.HANDSHAKE_FAILED_NO_DETAIL,
    zmq.Event.HANDSHAKE_FAILED_PROTOCOL,
    zmq.Event.HANDSHAKE_FAILED_AUTH,
}
_GONE = {zmq.Event.DISCONNECTED, zmq.Event.CLOSED}


@dataclass(frozen=True, slots=True)
class Missed:
    """From here on no event is missed, but some may have been before: take a new snapshot.

    It is the first item of every stream of events, and stands wherever a gap was seen. `count` is how many events
    are known to be missing; 0 when that can't be known.
    """

    count: int = 0


class Client:
    """A connection to a node; made by `Client.connect`.

    `info` is what the node said of itself when the connection was made.
    """

    info: m.NodeInfo

    def __init__(self, address: Address) -> None:
        self._address = address
        self._context = zmq.asyncio.Context()
        self._dealer = self._socket(zmq.DEALER)
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[m.Reply]] = {}
        self._loop = asyncio.get_running_loop()
        self._shaken: asyncio.Future[None] = self._loop.create_future()
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    @asynccontextmanager
    async def connect(cls, address: Address, *, user: str, client_name: str) -> AsyncIterator[Client]:
        """Connect and say hello as `user`.

        Raises Refused: UNREACHABLE when nobody answers there, NOT_ALLOWED when the node doesn't know the cookie,
        REFUSED when it speaks another protocol.
        """
        client = cls(address)
        try:
            await client._open(m.Hello(protocol=methods.PROTOCOL, client=client_name, user=user))
            yield client
        finally:
            await client._close()

    @property
    def address(self) -> Address:
        """Where this client is connected to."""
        return self._address

    async def request(self, method: Method[P, R], params: P | None = None, *, timeout: float = REQUEST_TIMEOUT) -> R:
        """Ask the node and wait at most `timeout` seconds for its answer.

        Raises Refused with the node's own sentence and code; UNREACHABLE when it didn't answer a question, and
        UNKNOWN_OUTCOME when it didn't answer an order, which it may have carried out.
        """
        packed = pack(m.Nothing() if params is None else params)
        if len(packed) > MAX_REQUEST - 1024:
            raise Refused(f"That request is too long for {self._address.name}: {len(packed)} bytes.")
        number = next(self._ids)
        answer: asyncio.Future[m.Reply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            await self._or_lost(self._dealer.send(pack(m.Request(id=number, method=method.name, params=packed))))
            reply = await asyncio.wait_for(self._or_lost(answer), timeout)
        except (TimeoutError, Refused) as error:
            raise self._no_answer(method, timeout, lost=isinstance(error, Refused)) from None
        finally:
            del self._waiting[number]
        if reply.failure is not None:
            raise Refused(reply.failure.sentence, ExitCode(reply.failure.code), reply.failure.operation)
        try:
            return unpack(reply.result or b"", method.result)
        except Malformed:
            raise self._other_words() from None

    async def plan(self, vsn: str) -> m.Plan:
        """What going to `vsn` would do, rehearsed. Raises Refused."""
        return await self.request(methods.PLAN, m.MakePlan(vsn=vsn), timeout=PLAN_TIMEOUT)

    async def events(self) -> AsyncGenerator[m.Event | Missed, None]:
        """What happens on the node from now on. The first item is a Missed: take the snapshot to start from then.

        Each call has a subscription of its own. Ends with Refused (UNREACHABLE) when the node is lost.
        """
        socket = self._socket(zmq.SUB)
        expected: int | None = None
        try:
            socket.subscribe(b"")
            socket.connect(f"tcp://{self._address.host}:{self.info.events_port}")
            await self._welcome(socket)
            yield Missed()
            while True:
                data = await self._or_lost(socket.recv())
                if data == WELCOME:  # the connection broke and libzmq made it again
                    yield Missed()
                    expected = None
                    continue
                event = self._event(data)
                if expected is not None and event.seq != expected:
                    yield Missed(event.seq - expected)
                expected = event.seq + 1
                yield event
        finally:
            socket.close()

    async def stage(self, path: Path, progress: Callable[[int, int], None] | None = None) -> m.ReleaseInfo:
        """Upload the release tarball `path`, which the node verifies and unpacks.

        `progress(sent, size)` is called after each piece, in bytes.
        """
        try:
            size, sha256 = await asyncio.to_thread(_measure, path)
            with path.open("rb") as file:
                begin = m.StageBegin(file_name=path.name, size=size, sha256=sha256)
                upload = (await self.request(methods.STAGE_BEGIN, begin)).upload
                sent = 0
                while data := await asyncio.to_thread(file.read, CHUNK):
                    await self.request(methods.STAGE_CHUNK, m.StageChunk(upload=upload, offset=sent, data=data))
                    sent += len(data)
                    if progress is not None:
                        progress(sent, size)
        except OSError as error:
            raise Refused(f"The tarball {path} can't be read: {error.strerror}.") from None
        return await self.request(methods.STAGE_END, m.StageEnd(upload=upload), timeout=UNPACK_TIMEOUT)

    async def follow(self, operation: str) -> AsyncGenerator[m.Operation, None]:
        """The operation with the id `operation` each time that it changed, the ended one last.

        Raises Refused (UNKNOWN_OUTCOME) when the node is lost before it has ended.
        """
        try:
            async with aclosing(self._operation(operation)) as states:
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
                f"{self._address.name} was lost while operation {operation} ran, so its outcome is unknown; "
                f"`hotdash results {self._address.name} {operation}` tells when the node is back.",
                ExitCode.UNKNOWN_OUTCOME,
                operation,
            ) from None

    # -------------------------------------------------------------- inside

    def _socket(self, kind: int) -> zmq.asyncio.Socket:
        socket = self._context.socket(kind)
        prepare_socket(socket, MAX_REPLY)
        cookie = self._address.cookie
        socket.curve_secretkey = cookie.secret
        socket.curve_publickey = zmq.curve_public(cookie.secret)
        socket.curve_serverkey = cookie.server
        if kind == zmq.DEALER:
            socket.setsockopt(zmq.RECONNECT_IVL, -1)  # a refused cookie would be tried again for ever
        return socket

    async def _open(self, hello: m.Hello) -> None:
        self._tasks.append(asyncio.create_task(self._watch(self._dealer.get_monitor_socket())))
        self._tasks.append(asyncio.create_task(self._read_replies()))
        try:
            self._dealer.connect(f"tcp://{self._address.host}:{self._address.port}")
        except zmq.ZMQError as error:
            raise self._unreachable(f"can't be reached ({error})") from None
        try:
            await asyncio.wait_for(self._or_lost(self._shaken), CONNECT_TIMEOUT)
        except TimeoutError:
            raise self._unreachable(f"does not answer at {self._address.host}:{self._address.port}") from None
        self.info = await self.request(methods.HELLO, hello)
        if self.info.name != self._address.name:
            raise Refused(
                f"At {self._address.host}:{self._address.port} answers {self.info.name}, not {self._address.name}.",
                ExitCode.UNREACHABLE,
            )

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for future in (self._shaken, self._lost):
            if future.done() and not future.cancelled():
                future.exception()  # seen: asyncio complains of errors that nobody looked at
        self._context.destroy(linger=0)

    async def _watch(self, monitor: zmq.asyncio.Socket) -> None:
        """Turn libzmq's connection events into `_shaken` and `_lost`."""
        connected = self._loop.time()
        while True:
            event = parse_monitor_message(await monitor.recv_multipart())["event"]
            if event == zmq.Event.CONNECTED:
                connected = self._loop.time()
            elif event == zmq.Event.HANDSHAKE_SUCCEEDED:
                self._shaken.set_result(None)
            elif event in _HANDSHAKE_FAILED:
                self._lose(self._not_let_in(event, self._loop.time() - connected))
            elif event in _GONE and not self._lost.done():
                broke = self._shaken.done()
                self._lose(self._unreachable("is gone: the connection broke" if broke else "refused the connection"))

    def _lose(self, why: Refused) -> None:
        if not self._lost.done():
            self._lost.set_exception(why)

    async def _or_lost(self, awaited: Awaitable[T]) -> T:
        """The result of `awaited`, or Refused as soon as the connection is lost."""
        wanted = asyncio.ensure_future(awaited)
        try:
            await asyncio.wait((wanted, self._lost), return_when=asyncio.FIRST_COMPLETED)
            if not wanted.done():
                self._lost.result()
            return wanted.result()
        finally:
            wanted.cancel()

    async def _read_replies(self) -> None:
        while True:
            try:
                reply = unpack(await self._dealer.recv(), m.Reply)
            except Malformed:
                self._lose(self._other_words())
                return
            waiting = self._waiting.get(reply.id)  # none: its request has timed out
            if waiting is not None and not waiting.done():
                waiting.set_result(reply)

    async def _welcome(self, socket: zmq.asyncio.Socket) -> None:
        try:
            while await asyncio.wait_for(self._or_lost(socket.recv()), CONNECT_TIMEOUT) != WELCOME:
                pass
        except TimeoutError:
            raise self._unreachable(
                f"answers, but its port for events, {self.info.events_port}, can't be reached"
            ) from None

    def _event(self, data: bytes) -> m.Event:
        try:
            return unpack(data, m.Event)
        except Malformed:
            raise self._other_words() from None

    async def _operation(self, operation: str) -> AsyncGenerator[m.Operation, None]:
        """The operation as told by events, and by asking when events are quiet or were missed."""
        wanted = m.GetOperation(operation=operation)
        async with aclosing(self.events()) as events:
            upcoming = asyncio.ensure_future(anext(events))
            try:
                while True:
                    await asyncio.wait((upcoming,), timeout=POLL_INTERVAL)
                    if not upcoming.done():
                        yield await self.request(methods.OPERATION, wanted)
                        continue
                    event = upcoming.result()
                    upcoming = asyncio.ensure_future(anext(events))
                    if isinstance(event, Missed):
                        yield await self.request(methods.OPERATION, wanted)
                    elif event.operation is not None and event.operation.id == operation:
                        # The event of a large operation comes without its results, so the end is asked for.
                        ended, told = event.operation.ended is not None, event.operation
                        if ended:
                            with suppress(Refused):  # the node may be on its way down: then the event has to do
                                told = await self.request(methods.OPERATION, wanted)
                        yield told
            finally:
                upcoming.cancel()
                with suppress(asyncio.CancelledError, Refused):
                    await upcoming

    # -------------------------------------------------------------- sentences

    def _no_answer(self, method: Method[Any, Any], timeout: float, *, lost: bool) -> Refused:
        if lost:
            error = self._lost.exception()
            assert isinstance(error, Refused)
        else:
            error = self._unreachable(f"has not answered {method.name!r} for {timeout:g} s")
        if method.role == "viewer":
            return error
        return Refused(
            f"Whether {method.name!r} was done is unknown, look at the node before you repeat it. {error.sentence}",
            ExitCode.UNKNOWN_OUTCOME,
        )

    def _not_let_in(self, event: int, seconds: float) -> Refused:
        """Why the handshake failed `seconds` after it began.

        libzmq has one event without detail for a node that found no sense in the keys, and so hung up at once, and for
        one that said nothing until the time was over.
        """
        record = self._address.record
        if event == zmq.Event.HANDSHAKE_FAILED_NO_DETAIL:
            if record is not None and not alive(record):
                return self._unreachable("is gone: the connection broke")
            if seconds >= HANDSHAKE_LIMIT * 0.9:
                who = f"process {record.os_pid}" if record else f"{self._address.host}:{self._address.port}"
                return Refused(
                    f"{self._address.name} is silent: {who} is alive but has not answered for {HANDSHAKE_LIMIT:g} s.",
                    ExitCode.UNREACHABLE,
                )
        return Refused(
            f"{self._address.name} does not know this cookie: ask its owner for `bin/<name> cookie`.",
            ExitCode.NOT_ALLOWED,
        )

    def _unreachable(self, how: str) -> Refused:
        record = self._address.record
        detail = "."
        if record is not None:
            detail = f"; its process {record.os_pid} {'is alive' if alive(record) else 'has ended'}."
        return Refused(f"{self._address.name} {how}{detail}", ExitCode.UNREACHABLE)

    def _other_words(self) -> Refused:
        return Refused(
            f"{self._address.name} answers in words that this hotdash does not know, so it runs another version; "
            f"use the one that came with it: `bin/<name> attach`."
        )


def _measure(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), sha256

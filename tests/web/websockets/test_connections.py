"""Websockets over real sockets, with the client of the library `websockets`."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, ClassVar

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from node_runtime import Pid, Stop, call, cast, exit, is_alive, process_info, self_pid, send, web
from node_runtime.behaviours.supervision.management import which_children
from node_runtime.processes import runtime
from node_runtime.protocol.exit_codes import Refused
from node_runtime.web import Handshake, Rejected, WebSocketHandler, WebSocketRoute
from tests.support.waiting import eventually

from .conftest import Site

pytestmark = pytest.mark.each_loop


@dataclass(slots=True)
class Member:
    room: str
    pid: Pid
    seen: list[object] = field(default_factory=list)


ends: list[tuple[int, str]] = []
doors: dict[str, asyncio.Event] = {}


class Echo(WebSocketHandler[Member]):
    """Answers each message, and does what some messages say."""

    def connected(self, request: Handshake) -> Member:
        if request.path_params["room"] == "closed":
            raise Rejected(403, "this room is closed\n")
        if request.path_params["room"] == "broken":
            raise ZeroDivisionError("on purpose")
        self.send_text(f"welcome to {request.path_params['room']} {request.query_params.get('as', '')}".strip())
        return Member(request.path_params["room"], self_pid())

    def handle_text(self, text: str) -> None:
        match text.split():
            case ["pid"]:
                self.send_text(str(int(self.state.pid)))
            case ["crash"]:
                raise ZeroDivisionError("on purpose")
            case ["stop"]:
                raise Stop("normal")
            case ["close", code, reason]:
                self.close(int(code), reason)
            case _:
                self.send_text(text)

    def handle_bytes(self, data: bytes) -> None:
        self.send_bytes(data[::-1])

    def handle_info(self, message: Any) -> None:
        self.send_text(f"told {message}")

    def disconnected(self, code: int, reason: str) -> None:
        ends.append((code, reason))

    def room(self) -> str:
        return self.state.room


class Patient(WebSocketHandler[int]):
    """Its connected and its messages wait for a door."""

    subprotocols = ("v2", "v1")
    origins = ("https://example.org",)
    max_message_bytes: ClassVar[int] = 300_000
    handled: ClassVar[list[int]] = []

    async def connected(self, request: Handshake) -> int:
        self.send_text(f"{request.subprotocol}")
        await doors[request.path_params["door"]].wait()
        return 0

    async def handle_bytes(self, data: bytes) -> None:
        await doors["message"].wait()
        Patient.handled.append(len(data))

    async def disconnected(self, code: int, reason: str) -> None:
        await doors["end"].wait()
        ends.append((code, reason))


class Doomed(WebSocketHandler[None]):
    """Is killed after it has called its async part, and before this has begun."""

    def connected(self, request: Handshake) -> Coroutine[Any, Any, None]:
        asyncio.get_running_loop().call_soon(exit, self_pid(), "kill")
        return self.later()

    async def later(self) -> None: ...


class Flood(WebSocketHandler[None]):
    """Sends as long as it is asked to."""

    max_unsent_bytes = 100_000

    def connected(self, request: Handshake) -> None:
        return None

    def handle_info(self, message: int) -> None:
        self.send_bytes(bytes(message))

    def asked(self) -> None:
        """Answer after all that was asked before."""

    def disconnected(self, code: int, reason: str) -> None:
        ends.append((code, reason))


class Silent(Flood):
    """Asks for signs of life all the time."""

    ping_seconds = 0.02


@pytest.fixture(autouse=True)
def cleared() -> None:
    ends.clear()
    Patient.handled.clear()
    doors.clear()


@pytest.fixture
def handlers_module() -> Iterator[ModuleType]:
    """A module with a handler that an upgrade can remove."""
    module = sys.modules["handlers"] = ModuleType("handlers")
    vars(module)["Gone"] = Echo
    yield module
    del sys.modules["handlers"]


@pytest.fixture(autouse=True)
def routes(site: Site, handlers_module: ModuleType) -> None:
    web.set_websockets(
        "site",
        (
            WebSocketRoute("/rooms/{room}", f"{__name__}:Echo"),
            WebSocketRoute("/patient/{door}", f"{__name__}:Patient"),
            WebSocketRoute("/doomed", f"{__name__}:Doomed"),
            WebSocketRoute("/flood", f"{__name__}:Flood"),
            WebSocketRoute("/silent", f"{__name__}:Silent"),
            WebSocketRoute("/gone", "handlers:Gone"),
        ),
    )
    del vars(handlers_module)["Gone"]


def handlers() -> list[Pid]:
    """The handlers' processes, in the order of their starts."""
    return [child.pid for child in which_children("site_websockets") if child.pid is not None]


async def heard(client: ClientConnection) -> str | bytes:
    return await asyncio.wait_for(client.recv(), 60)


async def code_of(client: ClientConnection) -> tuple[int, str]:
    """The code and the reason with which the server closes."""
    try:
        while True:
            await heard(client)
    except ConnectionClosed as closed:
        return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd is not None else (1006, "")


async def test_messages_of_both_kinds_in_fragments_too_reach_the_process_and_come_back(site: Site) -> None:
    async with site.client("/rooms/red?as=ann") as ann:
        assert await heard(ann) == "welcome to red ann"
        await ann.send("grün")
        assert await heard(ann) == "grün"
        await ann.send(["one ", "message"])
        assert await heard(ann) == "one message"
        await ann.send(b"\x00" * 70_000 + b"\x01")
        assert await heard(ann) == b"\x01" + b"\x00" * 70_000
        await (await ann.ping())
        [pid] = handlers()
        assert process_info(pid).kind == "gen_server"
        assert runtime().labels == {pid: "/rooms/red"}
        send(pid, "ann")
        cast(pid, Echo.send_text, "hello")
        assert [await heard(ann), await heard(ann)] == ["told ann", "hello"]
        assert await call(pid, Echo.room) == "red"
    await eventually(lambda: not is_alive(pid), what="the end of the process")
    assert ends == [(1000, "")]
    assert not runtime().labels


async def test_the_client_learns_the_code_of_each_end_and_the_handler_the_clients(site: Site) -> None:
    for text, code in {"close 4001 bye": (4001, "bye"), "crash": (1011, ""), "stop": (1000, "")}.items():
        async with site.client("/rooms/red") as client:
            await client.send(text)
            assert await code_of(client) == code
    assert ends == [(4001, "bye")]
    async with site.client("/rooms/red") as client:
        await heard(client)
        await client.close(4002, "enough")
    await eventually(lambda: len(ends) == 2, what="the end")
    async with site.client("/rooms/red") as client:
        await heard(client)
        client.transport.abort()
    await eventually(lambda: len(ends) == 3, what="the end")
    assert ends[1:] == [(4002, "enough"), (1006, "")]
    await eventually(lambda: not handlers() and not site.connections, what="the end of all")


async def test_a_crash_and_a_kill_disturb_no_other_connection(site: Site) -> None:
    async with site.client("/rooms/red") as ann, site.client("/rooms/red") as bob, site.client("/rooms/red") as eve:
        await heard(eve)
        await ann.send("crash")
        assert (await code_of(ann))[0] == 1011
        for client in (bob, eve):
            await client.send("pid")
        pids = [int(await heard(eve)), await heard(bob), int(await heard(bob))]
        exit(Pid(pids[2]), "kill")
        assert (await code_of(bob))[0] == 1011
        await eve.send("still here")
        assert await heard(eve) == "still here"


async def test_a_shutdown_of_the_supervisor_closes_with_1001_and_of_the_listener_with_1012(site: Site) -> None:
    async with site.client("/rooms/red") as ann:
        await heard(ann)
        exit(handlers()[0], "shutdown")
        assert (await code_of(ann))[0] == 1001
    async with site.client("/rooms/red") as bob:
        await heard(bob)
        for connection in site.connections:
            connection.shutdown()
        assert (await code_of(bob))[0] == 1012
    await eventually(lambda: (1012, "the server restarts") in ends, what="the end")


async def test_a_handshake_is_refused_with_a_status(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    doors["open"] = asyncio.Event()
    doors["open"].set()
    refused: dict[str, int] = {"/nowhere": 404, "/rooms/closed": 403, "/rooms/broken": 500, "/gone": 500}
    for path, status in refused.items():
        with pytest.raises(InvalidStatus) as answer:
            await site.client(path)
        assert answer.value.response.status_code == status, path
    for options, status in (
        ({"subprotocols": ["v3"]}, 400),
        ({}, 400),
        ({"subprotocols": ["v1"], "origin": "https://evil.example"}, 403),
    ):
        with pytest.raises(InvalidStatus) as answer:
            await site.client("/patient/open", **options)
        assert answer.value.response.status_code == status
    assert "has no Gone" in caplog.text
    assert "on purpose" in caplog.text
    assert "closed" not in caplog.text
    async with site.client("/patient/open", subprotocols=["v1", "v2"], origin="https://example.org") as client:
        assert client.subprotocol == "v2"
        assert await heard(client) == "v2"
        doors["end"] = asyncio.Event()
    await eventually(handlers, what="the handler that waits in disconnected")
    doors["end"].set()
    await eventually(lambda: not handlers(), what="its end")


async def test_a_page_of_another_host_may_not_connect_unless_the_handler_says_so(site: Site) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        await site.client("/rooms/red", origin="https://evil.example")
    async with site.client("/rooms/red", origin=f"http://127.0.0.1:{site.port}") as client:
        await heard(client)


async def test_a_handler_that_connects_slowly_delays_nobody_and_ends_with_its_client(site: Site) -> None:
    doors["slow"] = asyncio.Event()
    opening = asyncio.create_task(site.client("/patient/slow", subprotocols=["v1"]).__aenter__())
    await eventually(lambda: runtime().names.get("site_websockets") and handlers(), what="the slow handler")
    async with site.client("/rooms/red") as ann:
        assert await heard(ann) == "welcome to red"
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    request = b"GET /patient/slow HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    key = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
    writer.write(request + key + b"Sec-WebSocket-Protocol: v1\r\n\r\n")
    await eventually(lambda: len(handlers()) == 2, what="another slow handler")
    exit(handlers()[1], "kill")
    assert b"500" in await asyncio.wait_for(reader.readline(), 60)
    writer.close()
    doors["slow"].set()
    client = await asyncio.wait_for(opening, 60)
    assert await heard(client) == "v1"
    doors["end"] = asyncio.Event()
    doors["end"].set()
    await client.close()


async def test_a_process_that_is_killed_before_its_async_callback_begins_closes_the_coroutine(site: Site) -> None:
    with pytest.raises(InvalidStatus, match="500"):  # and pytest would fail for a coroutine that was never awaited
        await site.client("/doomed").__aenter__()


async def test_a_client_is_not_read_while_its_messages_wait(site: Site) -> None:
    doors["open"] = doors["end"] = asyncio.Event()
    doors["open"].set()
    doors["message"] = asyncio.Event()
    async with site.client("/patient/open", subprotocols=["v1"], write_limit=1) as client:
        assert await heard(client) == "v1"
        sending = asyncio.create_task(_send(client, 300, 50_000))
        [connection] = site.connections
        transport = connection.transport
        await eventually(lambda: not transport.is_reading(), what="the pause")
        waiting = process_info(handlers()[0]).messages
        assert waiting <= 16
        assert not sending.done()
        doors["message"].set()
        await sending
        await eventually(lambda: len(Patient.handled) == 300, what="all messages")
    async with site.client("/patient/open", subprotocols=["v1"]) as client:
        await client.send(bytes(300_001))
        assert (await code_of(client))[0] == 1009


async def _send(client: ClientConnection, count: int, size: int) -> None:
    for _ in range(count):
        await client.send(bytes(size))


async def test_a_client_that_does_not_read_is_disconnected(site: Site) -> None:
    writer = await _raw_client(site, "/flood")
    [pid] = handlers()
    for _ in range(20):
        send(pid, 1_000_000)
    await call(pid, Flood.asked)
    writer.transport.abort()
    await eventually(lambda: ends, what="the end")
    assert ends[0][0] == 1008


async def test_a_client_that_gives_no_sign_of_life_is_disconnected(site: Site) -> None:
    writer = await _raw_client(site, "/silent")
    await eventually(lambda: ends == [(1006, "")], what="the end of a client that answers no ping")
    writer.close()


async def _raw_client(site: Site, path: str) -> asyncio.StreamWriter:
    """A client that opens a websocket and then reads nothing more."""
    made = socket.create_connection(("127.0.0.1", site.port))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    _reader, writer = await asyncio.open_connection(sock=made, limit=1)
    request = f"GET {path} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    writer.write(f"{request}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    await eventually(lambda: runtime().names.get("site_websockets") and handlers(), what="the handler")
    return writer


async def test_no_message_is_an_error_in_the_log(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    async with site.client("/rooms/red") as ann:
        await ann.send("one")
    await eventually(lambda: not handlers(), what="the end")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("http", ["h11", "httptools"])
async def test_either_parser_of_requests_leads_to_the_handler_or_to_404(site: Site, http: Any) -> None:
    await web.start_http("other", port=0, routes=(), http=http)
    other = Site("other")
    with pytest.raises(InvalidStatus, match="404"):
        await other.client("/rooms/red")
    web.set_websockets("other", [WebSocketRoute("/rooms/{room}", f"{__name__}:Echo")])
    async with other.client("/rooms/a%20b?as=ann") as ann:
        assert await heard(ann) == "welcome to a b ann"
    with pytest.raises(InvalidStatus, match="404"):
        await other.client("/nowhere")


async def application(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application with a websocket of its own."""
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": f"the application's {scope['path']}"})
    await receive()


async def test_the_websockets_of_other_paths_are_those_of_the_asgi_application(site: Site) -> None:
    routes = [WebSocketRoute("/rooms/{room}", f"{__name__}:Echo")]
    await web.start_asgi("other", f"{__name__}:application", port=0, websockets=routes)
    async with Site("other").client("/rooms/red") as ann, Site("other").client("/news") as bob:
        assert await heard(ann) == "welcome to red"
        assert await heard(bob) == "the application's /news"
    assert [child.pid for child in which_children("other_websockets")]


async def test_a_handler_that_can_not_be_used_is_refused_when_the_listener_starts(site: Site) -> None:
    for handler, why in ((f"{__name__}:Nobody", "has no Nobody"), (f"{__name__}:Member", "not a subclass")):
        with pytest.raises(Refused, match=why):
            await web.start_http("other", port=0, routes=(), websockets=[WebSocketRoute("/", handler)])
        with pytest.raises(Refused, match=why):
            web.set_websockets("site", [WebSocketRoute("/", handler)])
    for path, handler in (("/", "Echo"), ("rooms", f"{__name__}:Echo")):
        with pytest.raises(ValueError, match="must"):
            WebSocketRoute(path, handler)
    async with site.client("/rooms/red") as ann:
        assert await heard(ann) == "welcome to red"


async def test_the_stop_of_a_listener_closes_its_websockets_with_1012(site: Site) -> None:
    async with site.client("/rooms/red") as ann:
        assert await heard(ann) == "welcome to red"
        stopping = asyncio.create_task(web.stop_http("site"))
        assert (await code_of(ann))[0] == 1012
        await stopping
    assert which_children("web_sup") == []
    assert ends == [(1012, "the server restarts")]

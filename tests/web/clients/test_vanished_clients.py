"""Clients that fall silent, close half of a connection or reset it, at a listener of another OS process.

Whatever they had sent before: the node ends their connections, logs each kind once, and goes on to serve others.
Each look at the number of connections ends the application's work for a request, and sends the next event.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.waiting import until

NODE: Final = """
import asyncio
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from node_runtime import Runtime, application, web
from node_runtime.cli.log_lines import log_to_stderr
from node_runtime.web.listeners import listeners

looked = asyncio.Event()

async def connections(request):
    looked.set()
    looked.clear()
    return PlainTextResponse(str(len(listeners()["site"].server.server_state.connections)))

async def body(request):
    return PlainTextResponse(str(len(await request.body())))

async def large(request):
    return PlainTextResponse("x" * 20_000_000)

async def patient(request):
    await looked.wait()
    return PlainTextResponse("done")

async def events():
    while True:
        yield b"data: 1\\n\\n"
        await looked.wait()

async def stream(request):
    return StreamingResponse(events(), media_type="text/event-stream")

async def echo(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)

app = Starlette(routes=[
    Route("/", connections), Route("/body", body, methods=["POST"]), Route("/large", large), Route("/patient", patient),
    Route("/events", stream), WebSocketRoute("/echo", echo),
])

async def main():
    log_to_stderr("text", lambda: "1.0")
    async with Runtime():
        application.load(web.APPLICATION)
        await application.start("web")
        await web.start_asgi(
            "site", "__main__:app", timeout_head=1.0, timeout_stalled=1.0, timeout_keep_alive=1, ws_ping_interval=0.5,
            ws_ping_timeout=0.5,
        )
        print(web.port("site"), flush=True)
        await asyncio.to_thread(input)
        await application.stop("web")

asyncio.run(main())
"""
HOST: Final = b"Host: a\r\n"
HANDSHAKE: Final = (
    b"GET /echo HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + HOST
)
PHASES: Final = {
    "before a head": b"",
    "in a head": b"GET / HTTP/1.1\r\nHo",
    "in a body": b"POST /body HTTP/1.1\r\nContent-Length: 10\r\n" + HOST + b"\r\nabc",
    "in a chunk": b"POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\n5\r\nab",
    "while the application works": b"GET /patient HTTP/1.1\r\n" + HOST + b"\r\n",
    "in a large response": b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n",
    "in a stream": b"GET /events HTTP/1.1\r\n" + HOST + b"\r\n",
    "in a handshake": HANDSHAKE,
    "on a websocket": HANDSHAKE + b"\r\n",
    "in a frame": HANDSHAKE + b"\r\n\x81\x85\0\0",
}
"""What a client has sent, before it falls silent."""
STAYS: Final = "in a stream"
"""A client that is silent stays here while its system takes the events: it may just have nothing to say."""
Way = Callable[[socket.socket], None]


def silent(client: socket.socket) -> None: ...


def half_closed(client: socket.socket) -> None:
    client.shutdown(socket.SHUT_WR)


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """A node with short limits for its clients: its port, and its log."""
    log = tmp_path_factory.mktemp("node") / "log"
    with log.open("wb") as file:
        line = [sys.executable, "-c", NODE]
        process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file)
    with process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield int(process.stdout.readline()), log
        process.stdin.close()


@pytest.mark.parametrize("way", [silent, half_closed, reset])
def test_the_connections_of_such_clients_end_and_each_kind_is_logged_once(node: tuple[int, Path], way: Way) -> None:
    port, log = node

    def connections() -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
            return int(answer.read())

    before = len(log.read_text())
    phases = {name: sent for name, sent in PHASES.items() if way is not silent or name != STAYS}
    with contextlib.ExitStack() as stack:
        for sent in [*phases.values()] * 3:
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
            client.sendall(sent)
            way(client)
        until(lambda: connections() == 1, "the end of the connections", shown=log.read_text)
    lines = [line.partition(" listener ")[2] or line for line in log.read_text()[before:].splitlines()]
    assert not [line for line in lines if not line.startswith("site ")], lines
    assert len({*lines}) == len(lines)

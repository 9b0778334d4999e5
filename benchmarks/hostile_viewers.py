"""The effect of hostile viewers on a node: `python -m benchmarks.hostile_viewers [CONNECTIONS [SECONDS]]`.

By default, 1,000 connections with a viewer's cookie send requests as fast as they can for 10 seconds: snapshots,
states, lists, requests of unknown and forbidden methods, and messages that are no requests. They read few replies.
Meanwhile HTTP clients use the node's small web application, and operators connect; the first rolls an upgrade back.

The output shows the response times with and without the attack, how long operators waited, the processor time of the
node, and the memory of the node and of its child processes. Node, clients and attackers are OS processes of their own.
The attackers run only while a processor is idle, because real ones would not use the node's processors.

On a machine with other work, look at the waits in processor time: a client inside the node measures how much processor
time the whole node uses from a request to its response. This includes all that delays the event loop, but no wait for a
processor that another program uses.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, perf_counter, process_time
from typing import Final

import psutil
import zmq

from node_runtime import Runtime, application
from node_runtime.cli.event_loops import run
from node_runtime.code import CodeServer, current
from node_runtime.control import Control, NodeIdentity
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.cookie import cookie_path, read_cookie
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Role
from node_runtime.protocol.run_directory import NodeAddress
from node_runtime.protocol.wire import MAX_REPLY_BYTES, pack, prepare_socket
from node_runtime.web import APPLICATION, Request, Response, Route, port, start_http

from .pool_node import boot, start_pool, write_release

NAME: Final = "pool@127.0.0.1"
WORKERS: Final = 200
ATTACKERS: Final = 2
"""OS processes that attack."""
HTTP_CLIENTS: Final = 4
PAUSE: Final = 0.005
"""Seconds between the response to an HTTP client and its next request."""
PAUSE_OF_OPERATORS: Final = 0.5
"""Seconds between two connections of operators."""

# ---------------------------------------------------------------------- the node


async def page(request: Request) -> Response:
    """Respond with a short text, as the application under attack."""
    return Response("served\n")


async def run_node(directory: str) -> None:
    """Run a node with a pool of workers and a web page until stdin is closed; print its ports and its process id.

    For each line of stdin, a number of seconds, measure the waits of a client inside the node, and print them.
    """
    root = Path(directory)
    for vsn in "12":
        write_release(root, vsn)
    async with Runtime() as runtime:
        handler = boot(root, CodeServer())
        await start_pool(range(1, WORKERS + 1))
        application.load(APPLICATION)
        await application.start(APPLICATION.name)
        await start_http("page", port=0, routes=[Route("/", "benchmarks.hostile_viewers:page")])
        identity = NodeIdentity(NAME, "bench", root)
        control = Control(handler, runtime, current(), identity, on_stop=lambda restart: None)
        control_port = control.start()
        print(json.dumps({"control": control_port, "http": port("page"), "pid": os.getpid()}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            waits = await local_waits(port("page"), float(line))
            print(json.dumps([waits[len(waits) * share // 1000] for share in (990, 999)]), flush=True)
        control.stop()


async def local_waits(http_port: int, seconds: float) -> list[float]:
    """Request the page for `seconds` seconds; return the sorted waits in processor time of this OS process."""
    waits: list[float] = []
    reader, writer = await asyncio.open_connection("127.0.0.1", http_port)
    until = monotonic() + seconds
    while monotonic() < until:
        began = process_time()
        await get_page(reader, writer)
        waits.append(process_time() - began)
        await asyncio.sleep(PAUSE)
    writer.close()
    return sorted(waits)


def address(directory: str, control_port: int, role: Role) -> NodeAddress:
    """Return the address of the node, with the cookie of `role`."""
    return NodeAddress(NAME, "127.0.0.1", control_port, read_cookie(cookie_path(Path(directory), role)))


# ---------------------------------------------------------------------- the attackers


def hostile_messages() -> list[bytes]:
    """Return the messages that an attacker sends in turn."""
    requests: list[tuple[str, m.WireStruct]] = [
        ("hello", m.Hello(protocol=methods.PROTOCOL, client="evil", user="eve")),
        ("snapshot", m.Empty()),
        ("state", m.GetState(pid=5)),
        ("state", m.GetState(pid=1 << 60)),
        ("audit", m.ListLimit(limit=1000)),
        ("operations", m.ListLimit(limit=1000)),
        ("events", m.ListLimit(limit=500)),
        ("releases", m.Empty()),
        ("ping", m.Empty()),
        ("plan", m.MakePlan(vsn="2")),
        ("rollback", m.Rollback()),
        ("no_such_method", m.Empty()),
    ]
    packed = [
        pack(m.Request(id=number, method=name, params=pack(params))) for number, (name, params) in enumerate(requests)
    ]
    return [*packed, b"\xff" * 1000, b"\x91" * 10_000]


def attack(directory: str, control_port: str, connections: str) -> None:
    """Send hostile messages over `connections` connections until the process is killed."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    cookie = address(directory, int(control_port), "viewer").cookie
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    context.set(zmq.MAX_SOCKETS, 4096)
    sockets: list[zmq.Socket[bytes]] = []
    for _ in range(int(connections)):
        socket = context.socket(zmq.DEALER)
        prepare_socket(socket, MAX_REPLY_BYTES)
        socket.curve_secretkey, socket.curve_serverkey = cookie.secret, cookie.server
        socket.curve_publickey = zmq.curve_public(cookie.secret)
        socket.connect(f"tcp://127.0.0.1:{control_port}")
        sockets.append(socket)
    print("attacking", flush=True)
    messages = itertools.cycle(hostile_messages())
    for turn in itertools.count():
        for socket in sockets:
            with suppress(zmq.Again):
                socket.send(next(messages), zmq.NOBLOCK)
            if turn % 10 == 0:
                with suppress(zmq.Again):
                    socket.recv(zmq.NOBLOCK)


# ---------------------------------------------------------------------- the measurement


async def http_client(http_port: int, until: float, times: list[float]) -> None:
    """Request the page until the time `until`; append each response time, in seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", http_port)
    while monotonic() < until:
        began = perf_counter()
        await get_page(reader, writer)
        times.append(perf_counter() - began)
        await asyncio.sleep(PAUSE)
    writer.close()


async def get_page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Request the page once, and read the whole response."""
    writer.write(b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    await reader.readexactly(length)


async def ask_for_pages(http_port: int, seconds: float) -> None:
    """Run the HTTP clients for `seconds` seconds; print the number of responses and the 99th percentile."""
    times: list[float] = []
    until = monotonic() + seconds
    await asyncio.gather(*(http_client(http_port, until, times) for _ in range(HTTP_CLIENTS)))
    print(json.dumps([len(times), sorted(times)[len(times) * 99 // 100]]), flush=True)


async def p99(ports: dict[str, int], seconds: float) -> tuple[float, float]:
    """Return the 99th percentile of the page's response times and the node's processor time for each, in seconds.

    The clients have a process of their own, because the operators and the measurement of memory would delay them.
    """
    used = processor_time(ports["pid"])
    clients, line = await start("pages", str(ports["http"]), str(seconds))
    await clients.wait()
    responses, slow = json.loads(line)
    return slow, (processor_time(ports["pid"]) - used) / responses


def processor_time(pid: int) -> float:
    """Return the seconds of processor time that a process has used, without its child processes."""
    used = psutil.Process(pid).cpu_times()
    return float(used.user + used.system)


async def waits_inside(node: asyncio.subprocess.Process, seconds: float) -> list[float]:
    """Return the 99th and the 99.9th percentile of the waits of a client inside the node, in processor time."""
    assert node.stdin is not None
    assert node.stdout is not None
    node.stdin.write(f"{seconds}\n".encode())
    percentiles: list[float] = json.loads(await node.stdout.readline())
    return percentiles


async def upgrade(operator: NodeAddress) -> None:
    """Install release 2, so that there is something to roll back."""
    async with Client.connect(operator, user="bench", client_name="bench") as client:
        started = await client.request(methods.INSTALL, m.Install(vsn="2", unrehearsed=True))
        async for operation in client.follow(started.operation):
            outcome = operation.outcome
        assert outcome == "installed", outcome


@dataclass(slots=True)
class Operators:
    """What operators met during the attack: connections that failed of those that were tried, and waits in seconds."""

    tried: int = 0
    failed: int = 0
    connect: float = 0.0
    rollback: float = 0.0


async def operate(operator: NodeAddress, seconds: float) -> Operators:
    """Connect and disconnect for `seconds` seconds; the first connection that succeeds rolls the upgrade back."""
    seen, until = Operators(), monotonic() + seconds
    while monotonic() < until:
        seen.tried += 1
        began = perf_counter()
        try:
            async with Client.connect(operator, user="bench", client_name="bench") as client:
                connected = perf_counter()
                seen.connect = max(seen.connect, connected - began)
                if not seen.rollback:
                    await client.request(methods.ROLLBACK, m.Rollback(unrehearsed=True))
                    seen.rollback = perf_counter() - connected
        except Refused:
            seen.failed += 1
        await asyncio.sleep(PAUSE_OF_OPERATORS)
    return seen


def memory(pid: int) -> tuple[int, int]:
    """Return the bytes of memory that a process and its child processes use."""
    process = psutil.Process(pid)
    children = 0
    for child in process.children(recursive=True):
        with suppress(psutil.Error):
            children += child.memory_info().rss
    return process.memory_info().rss, children


async def watch_memory(pid: int, most: list[int]) -> None:
    """Keep the largest figures of `memory` in `most`."""
    while True:
        most[:] = map(max, most, memory(pid))
        await asyncio.sleep(0.1)


async def start(*words: str) -> tuple[asyncio.subprocess.Process, str]:
    """Start this program in another process; return the process and the first line that it prints."""
    command = (sys.executable, "-m", "benchmarks.hostile_viewers", *words)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    return process, (await process.stdout.readline()).decode()


async def measure(connections: int, seconds: float) -> None:
    """Measure a node without and with hostile viewers."""
    with tempfile.TemporaryDirectory() as directory:
        node, line = await start("node", directory)
        processes = [node]
        try:
            ports: dict[str, int] = json.loads(line)
            operator = address(directory, ports["control"], "operator")
            await upgrade(operator)
            before = memory(ports["pid"])
            quiet, cost = await p99(ports, seconds)
            quiet_inside = await waits_inside(node, seconds)
            for _ in range(ATTACKERS):
                attacker, _ = await start("attack", directory, str(ports["control"]), str(connections // ATTACKERS))
                processes.append(attacker)
            most = [0, 0]
            watcher = asyncio.create_task(watch_memory(ports["pid"], most))
            (attacked, attacked_cost), operators = await asyncio.gather(p99(ports, seconds), operate(operator, seconds))
            watcher.cancel()
            attacked_inside = await waits_inside(node, seconds)
        finally:
            for process in processes:
                process.kill()
                await process.wait()
    print(f"{connections} hostile connections:")
    print(
        f"  p99 of the page {quiet * 1000:.1f} ms quiet, {attacked * 1000:.1f} ms under attack: {attacked / quiet:.1f}x"
    )
    for share, calm, hit in zip(("99th", "99.9th"), quiet_inside, attacked_inside, strict=True):
        print(
            f"  {share} percentile of waits inside the node, in its processor time: "
            f"{calm * 1000:.2f} ms quiet, {hit * 1000:.2f} ms under attack: {hit / calm:.1f}x"
        )
    print(
        f"  the node's processor time for each response: "
        f"{cost * 1000:.2f} ms quiet, {attacked_cost * 1000:.2f} ms under attack"
    )
    print(
        f"  {operators.failed} of {operators.tried} connections of operators failed, "
        f"the others took at most {operators.connect:.2f} s; the rollback was answered in {operators.rollback:.2f} s"
    )
    for what, quietly, at_most in zip(("the node", "its child processes"), before, most, strict=True):
        print(f"  memory of {what}: {quietly / 2**20:.0f} MiB before, at most {at_most / 2**20:.0f} MiB under attack")


if __name__ == "__main__":
    if sys.argv[1:2] == ["node"]:
        with asyncio.Runner() as runner:  # as a node does
            run(runner.get_loop(), run_node(sys.argv[2]))
    elif sys.argv[1:2] == ["attack"]:
        attack(*sys.argv[2:])
    elif sys.argv[1:2] == ["pages"]:
        asyncio.run(ask_for_pages(int(sys.argv[2]), float(sys.argv[3])))
    else:
        asyncio.run(measure(int((sys.argv[1:] or ["1000"])[0]), float((sys.argv[2:] or ["10"])[0])))

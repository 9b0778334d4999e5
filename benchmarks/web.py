"""Measures the listeners beside plain uvicorn: the same application, the same parser, in the same run, on one core.

Each server is an OS process of its own on uvloop, and `wrk` is its client. The servers take turns, and the best round
of each counts. The processor time that a request costs the server is measured, too: it depends less on what else the
machine does. Run with `python -m benchmarks.web`.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, NamedTuple

import psutil

ROUNDS: Final = 4
SECONDS: Final = 2
CONNECTIONS: Final = 32
Parser = Literal["httptools", "h11"]


class Server(NamedTuple):
    """One server: who serves which application of `benchmarks.web_apps` with which parser."""

    who: str
    application: str
    parser: Parser


COMPARED: Final = [
    (f"{application}, {parser}", Server("ours", application, parser), Server("plain", application, parser))
    for application in ("json_app", "bare")
    for parser in ("httptools", "h11")
] + [("route, httptools", Server("routes", "route", "httptools"), Server("plain", "same_as_route", "httptools"))]


def serve(server: Server) -> None:
    """Serve until the standard input ends, and print the port."""
    import uvloop

    uvloop.run(_plain(server) if server.who == "plain" else _ours(server))


async def _plain(server: Server) -> None:
    import uvicorn

    path = f"benchmarks.web_apps:{server.application}"
    config = uvicorn.Config(
        path, port=0, http=server.parser, log_level="warning", access_log=False, server_header=False,
        proxy_headers=False,
    )  # fmt: skip
    plain = uvicorn.Server(config)
    running = asyncio.create_task(plain.serve())
    while not plain.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    print(plain.servers[0].sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    plain.should_exit = True
    await running


async def _ours(server: Server) -> None:
    from node_runtime import Runtime, application, web

    async with Runtime():
        application.load(web.APPLICATION)
        await application.start("web")
        path = f"benchmarks.web_apps:{server.application}"
        if server.who == "routes":
            await web.start_http("bench", routes=[web.Route("/", path)], http=server.parser)
        else:
            await web.start_asgi("bench", path, http=server.parser)
        print(web.port("bench"), flush=True)
        await asyncio.to_thread(sys.stdin.read)
        await application.stop("web")


@contextmanager
def running(server: Server) -> Iterator[tuple[int, psutil.Process]]:
    """Run a server in an OS process of its own on one core; yields its port and the process."""
    command = [sys.executable, "-m", "benchmarks.web", *server]
    if shutil.which("taskset"):
        command = ["taskset", "-c", "0", *command]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline()), psutil.Process(process.pid)
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


class Round(NamedTuple):
    """Requests per second, and per second of the server's processor time."""

    by_clock: float
    by_processor: float


def measured(port: int, process: psutil.Process) -> Round:
    """Let wrk ask for a while."""
    before = process.cpu_times()
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", f"http://127.0.0.1:{port}/"]
    if shutil.which("taskset"):
        command = ["taskset", "-c", "1", *command]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    after = process.cpu_times()
    rate, number = re.search(r"Requests/sec:\s+([\d.]+)", said), re.search(r"(\d+) requests in", said)
    assert rate is not None, said
    assert number is not None, said
    return Round(float(rate[1]), int(number[1]) / (after.user + after.system - before.user - before.system))


def main() -> None:
    """Measure all pairs, and print a line for each."""
    print(f"{'requests per second':24} {'ours':>9} {'uvicorn':>9}         per second of processor time")
    for what, ours, plain in COMPARED:
        with running(ours) as mine, running(plain) as theirs:
            rounds = [(measured(*mine), measured(*theirs)) for _ in range(ROUNDS)]
        clock, processor = (
            [max(one[number] for one in side) for side in zip(*rounds, strict=True)] for number in range(2)
        )
        print(
            f"{what:24} {clock[0]:9,.0f} {clock[1]:9,.0f} {clock[0] / clock[1]:5.2f}x "
            f"{processor[0]:9,.0f} {processor[1]:9,.0f} {processor[0] / processor[1]:5.2f}x",
            flush=True,
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        who, application, parser = sys.argv[1:]
        serve(Server(who, application, "h11" if parser == "h11" else "httptools"))
    else:
        main()

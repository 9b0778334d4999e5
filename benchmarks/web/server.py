"""One server in an OS process of its own: `python -m benchmarks.web.server KIND APPLICATION PARSER`.

It serves until its standard input ends. Each server runs on uvloop, without access log and without proxy headers.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal, NamedTuple

import psutil

APPLICATIONS: Final = "benchmarks.web.applications"
Kind = Literal["uvicorn", "application", "route", "websocket"]
"""uvicorn itself, or a listener that serves an application, the function of a route or the class of websockets."""


class Server(NamedTuple):
    """What serves which member of `benchmarks.web.applications` with which parser."""

    kind: str
    application: str
    parser: str


class RunningServer(NamedTuple):
    """A server that accepts connections, and the OS processes that handle the requests."""

    port: int
    processes: list[psutil.Process]

    def processor_seconds(self) -> list[float]:
        """Return the processor time that each of the OS processes has used."""
        return [sum(process.cpu_times()[:2]) for process in self.processes]


@contextmanager
def running(server: Server) -> Iterator[RunningServer]:
    """Run a server on the first core."""
    command = on_core(0, [sys.executable, "-m", "benchmarks.web.server", *server])
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield RunningServer(int(process.stdout.readline()), [psutil.Process(process.pid)])
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def on_core(core: int, command: list[str]) -> list[str]:
    """Return the command that runs `command` on one core, if the system can."""
    return ["taskset", "-c", str(core), *command] if shutil.which("taskset") else command


async def _uvicorn(server: Server) -> None:
    import uvicorn

    config = uvicorn.Config(
        f"{APPLICATIONS}:{server.application}", port=0, http=_parser(server), log_level="warning", access_log=False,
        server_header=False, proxy_headers=False,
    )  # fmt: skip
    plain = uvicorn.Server(config)
    serving = asyncio.create_task(plain.serve())
    while not plain.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    await _until_input_ends(plain.servers[0].sockets[0].getsockname()[1])
    plain.should_exit = True
    await serving


async def _listener(server: Server) -> None:
    from node_runtime import Runtime, application, web

    path = f"{APPLICATIONS}:{server.application}"
    async with Runtime():
        application.load(web.APPLICATION)
        await application.start("web")
        match server.kind:
            case "route":
                await web.start_http("bench", routes=[web.Route("/", path)], http=_parser(server))
            case "websocket":
                websockets = [web.WebSocketRoute("/", path)]
                await web.start_http("bench", routes=[], websockets=websockets, http=_parser(server))
            case _:
                await web.start_asgi("bench", path, http=_parser(server))
        await _until_input_ends(web.port("bench"))
        await application.stop("web")


async def _until_input_ends(port: int) -> None:
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)


def _parser(server: Server) -> Any:
    return server.parser


if __name__ == "__main__":
    import uvloop

    asked = Server(*sys.argv[1:])
    uvloop.run(_uvicorn(asked) if asked.kind == "uvicorn" else _listener(asked))

"""Measures the listeners beside plain uvicorn, and two workers of a node beside one.

In each part, two servers take turns, and a client on the second core loads one of them at a time. The figures are the
medians of all turns, and the ratios are the medians of the ratios of each turn. The processor time that a request costs
the server depends less on what else the machine does than the requests per second. The part `workers` needs two cores
without other work; its line "if each worker has a core" is computed from the processor time of the busiest worker, and
says on a busy machine how evenly the workers share the requests. The clients are wrk, and `echo_client` for websockets.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from . import clients, node
from .comparison import Comparison, compared
from .server import Server, running


class Part(NamedTuple):
    """One comparison with uvicorn; `goal` is for the ratio of the requests per second."""

    title: str
    goal: float | None
    ours: Server
    uvicorn: Server
    client: clients.Client


def _same(title: str, goal: float | None, application: str, parser: str, client: clients.Client) -> Part:
    return Part(
        f"{title}, {parser}: a listener, and uvicorn",
        goal,
        Server("application", application, parser),
        Server("uvicorn", application, parser),
        client,
    )


def _route(parser: str) -> Part:
    title = f"function of a route, {parser}: a listener, and the same responses as an application of uvicorn"
    servers = Server("route", "route", parser), Server("uvicorn", "same_as_route", parser)
    return Part(title, 0.8, *servers, clients.requests)


ECHO: Final = Part(
    "echo of a websocket: a process, and the coroutine of an application of uvicorn",
    0.9,
    Server("websocket", "Echo", "httptools"),
    Server("uvicorn", "echo", "httptools"),
    clients.messages,
)
PARTS: Final[dict[str, Part]] = {
    "fastapi-httptools": _same("FastAPI route with JSON", 0.95, "json_app", "httptools", clients.requests),
    "fastapi-h11": _same("FastAPI route with JSON", 0.95, "json_app", "h11", clients.requests),
    "bare-httptools": _same("bare application", None, "bare", "httptools", clients.requests),
    "bare-h11": _same("bare application", None, "bare", "h11", clients.requests),
    "route-httptools": _route("httptools"),
    "route-h11": _route("h11"),
    "websocket": ECHO,
    "websocket-application": _same("echo of a websocket, coroutine", None, "echo", "httptools", clients.messages),
}
WORKERS: Final = "workers"
WORKERS_GOAL: Final = 1.7


def measured(part: Part, rounds: int, seconds: float) -> Comparison:
    """Measure one comparison with uvicorn."""
    with running(part.ours) as ours, running(part.uvicorn) as other:
        return compared(part.title, part.goal, (ours, other), part.client, rounds, seconds)


def measured_workers(rounds: int, seconds: float) -> Comparison:
    """Measure a node with two workers beside a node with one."""
    with tempfile.TemporaryDirectory(prefix="bench-web-") as made:
        folder = Path(made)
        tarball = node.build(folder)
        with (
            node.running_node(tarball, 2, folder / "two") as two,
            node.running_node(tarball, 1, folder / "one") as one,
        ):
            title = "a request that burns 2 ms of processor time: two workers of a node, and one"
            return compared(title, WORKERS_GOAL, (two, one), clients.requests, rounds, seconds)


def main() -> None:
    """Measure the parts that the command line chooses, and print each of them."""
    names = [*PARTS, WORKERS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="the parts to measure")
    parser.add_argument("--rounds", type=int, default=6, help="turns of each server")
    parser.add_argument("--seconds", type=float, default=2.0, help="seconds of each turn")
    given = parser.parse_args()
    print(f"{'':48} {'ours':>9} {'other':>9} {'ratio':>8}", flush=True)
    for name in given.only:
        if name == WORKERS:
            done = measured_workers(given.rounds, given.seconds)
        else:
            done = measured(PARTS[name], given.rounds, given.seconds)
        print(*done.lines(), f"  {'load of the machine':46} {os.getloadavg()[0]:9.2f}", sep="\n", flush=True)


if __name__ == "__main__":
    main()

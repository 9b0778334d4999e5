"""The latency of the control plane: `python -m benchmarks.control_latency [OTHER CHECKOUT]`.

A client in another OS process sends one ping after the other, and then receives the node's events. It measures the time
from a ping to its reply, and the time from the moment at which the node publishes an event to its arrival. With the
folder of another checkout, which needs a `.venv`, the two take turns, and the ratios of the medians are shown.
"""

from __future__ import annotations

import asyncio
import json
import logging
import statistics
import subprocess
import sys
import tempfile
from contextlib import aclosing
from pathlib import Path
from time import monotonic, perf_counter
from typing import Final

from node_runtime import Runtime
from node_runtime.code import CodeServer, current
from node_runtime.control import Control, NodeIdentity
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client, MissedEvents
from node_runtime.protocol.cookie import cookie_path, read_cookie
from node_runtime.protocol.run_directory import NodeAddress

from .pool_node import boot, write_release

PINGS: Final = 3000
EVENTS: Final = 500
EVENT_PERIOD: Final = 0.01
"""Seconds between two events. More than 200 a second would be collected: see control/event_source.py."""
ROUNDS: Final = 9
WARMING_UP: Final = 200

Latencies = dict[str, float]


async def ask(port: str, cookie: str) -> None:
    """The client's OS process: print the latencies as JSON, in microseconds."""
    address = NodeAddress(name="pool@127.0.0.1", host="127.0.0.1", port=int(port), cookie=read_cookie(Path(cookie)))
    async with Client.connect(address, user="bench", client_name="bench") as client:
        pings = []
        for _ in range(WARMING_UP + PINGS):
            began = perf_counter()
            await client.request(methods.PING)
            pings.append(perf_counter() - began)
        print("events", flush=True)
        events = []
        async with aclosing(client.events()) as stream:
            async for event in stream:
                if isinstance(event, MissedEvents) or not event.text.startswith("warning: at "):
                    continue
                events.append(monotonic() - float(event.text.rpartition(" ")[2]))
                if len(events) == EVENTS:
                    break
    print(json.dumps(figures("ping", pings[WARMING_UP:]) | figures("event", events)), flush=True)


def figures(name: str, seconds: list[float]) -> Latencies:
    """The 10th percentile, which other programs disturb least, the median and the 99th percentile, in microseconds."""
    ordered = sorted(seconds)
    return {
        f"{name} p10": ordered[len(ordered) // 10] * 1e6,
        f"{name} p50": ordered[len(ordered) // 2] * 1e6,
        f"{name} p99": ordered[len(ordered) * 99 // 100] * 1e6,
    }


async def measure() -> None:
    """The node's OS process: boot, start the client, publish events when it wants them, and print its latencies."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        write_release(root, "1")
        async with Runtime() as runtime:
            identity = NodeIdentity("pool@127.0.0.1", "bench", root)
            control = Control(boot(root, CodeServer()), runtime, current(), identity, on_stop=lambda restart: None)
            port = control.start()
            command = (
                sys.executable, "-m", "benchmarks.control_latency", "ask",
                str(port if isinstance(port, int) else port[0]), str(cookie_path(root, "operator")),
            )  # fmt: skip
            client = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
            assert client.stdout is not None
            await client.stdout.readline()
            result = asyncio.ensure_future(client.stdout.readline())
            while not result.done():
                logging.getLogger("bench").warning("at %.9f", monotonic())
                await asyncio.sleep(EVENT_PERIOD)
            print(result.result().decode().strip())
            await client.wait()
            control.stop()
            code = current()
            if code is not None:
                code.uninstall()


def round_of(checkout: Path) -> Latencies:
    """The latencies of a fresh node of this checkout."""
    done = subprocess.run(
        (str(checkout / ".venv/bin/python"), "-m", "benchmarks.control_latency", "measure"),
        cwd=checkout, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    result: Latencies = json.loads(done.stdout)
    return result


def compare(checkouts: list[Path]) -> None:
    """Measure the checkouts in turns, and print the medians of the rounds; the ratios are to the last checkout."""
    rounds: list[list[Latencies]] = [[round_of(checkout) for checkout in checkouts] for _ in range(ROUNDS)]
    for name in rounds[0][0]:
        medians = [statistics.median(latencies[place][name] for latencies in rounds) for place in range(len(checkouts))]
        ratio = f"   {medians[0] / medians[-1]:.2f}x" if len(medians) > 1 else ""
        print(f"{name}: {', '.join(f'{median:.0f} µs' for median in medians)}{ratio}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["ask", port, cookie]:
            asyncio.run(ask(port, cookie))
        case ["measure"]:
            asyncio.run(measure())
        case others:
            compare([Path(__file__).resolve().parent.parent, *map(Path, others)])

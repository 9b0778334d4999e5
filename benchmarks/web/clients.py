"""The clients: `wrk` for requests, and `benchmarks.web.echo_client` for websockets, on the second core."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from collections.abc import Callable
from typing import Final, NamedTuple

from .server import RunningServer, on_core

CONNECTIONS: Final = 32


class Round(NamedTuple):
    """What a client has measured in one turn.

    `microseconds` is the processor time of a request in the server. `share_of_busiest` is the part of the server's
    processor time that its busiest OS process has used. `client_load` is the client's processor time as a part of a
    core.
    """

    per_second: float
    microseconds: float
    share_of_busiest: float
    client_load: float


Client = Callable[[RunningServer, float], Round]


def requests(server: RunningServer, seconds: float) -> Round:
    """Request "/" on all connections as fast as the server answers."""
    words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", f"http://127.0.0.1:{server.port}/"]
    return _measured(server, words, seconds, r"(\d+) requests in ([\d.]+)s")


def messages(server: RunningServer, seconds: float) -> Round:
    """Send a message on each websocket as soon as the last one has come back."""
    words = [sys.executable, "-m", "benchmarks.web.echo_client", str(server.port), str(CONNECTIONS), f"{seconds:g}"]
    return _measured(server, words, seconds, r"(\d+) messages in ([\d.]+)s")


def _measured(server: RunningServer, command: list[str], seconds: float, pattern: str) -> Round:
    before, client_before = server.processor_seconds(), _client_seconds()
    printed = subprocess.run(on_core(1, command), check=True, capture_output=True, text=True).stdout
    used = [now - then for now, then in zip(server.processor_seconds(), before, strict=True)]
    client_used = _client_seconds() - client_before
    found = re.search(pattern, printed)
    if found is None or "Non-2xx" in printed or "Socket errors" in printed:
        raise RuntimeError(printed)
    number, took = int(found[1]), float(found[2])
    return Round(number / took, sum(used) / number * 1e6, max(used) / sum(used), client_used / took)


def _client_seconds() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime

"""The clients' side of `client_process`: lines from the standard input are requests for the counts so far.

The end of the input ends the client, which prints its counts a last time.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict

from .counts import Counts


async def serve_input(counts: Counts, ended: asyncio.Event) -> None:
    """Print the counts for each line of the standard input; set `ended` when the input ends.

    Each line ends a phase: the times that it gets are those since the line before.
    """
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while await lines.readline():
        print_counts(counts)
        counts.seconds.clear()
    ended.set()


def print_counts(counts: Counts) -> None:
    """Print the counts as one line of JSON."""
    print(json.dumps(asdict(counts.summary())), flush=True)

"""The cost of observing a node: `python -m benchmarks.looking [SIZE…]`, by default 10,000 and 100,000 servers.

A client in another OS process fetches the node's whole snapshot once a second, as a dashboard does. Meanwhile a task
calls one of the servers every millisecond. The output shows the longest wait of such a call and the share of a core
that the node uses, both before and during the observation. The wait is measured in the node's processor time, which
includes its control thread, so other load on the machine does not count.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import subprocess
import sys
import tempfile
from collections.abc import Awaitable
from pathlib import Path
from time import perf_counter, process_time
from typing import Final

from node_runtime import Pid, Runtime, call_within
from node_runtime.code import CodeServer, current
from node_runtime.control import Control, NodeIdentity
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client as Operator
from node_runtime.protocol.cookie import cookie_path, read_cookie
from node_runtime.protocol.run_directory import NodeAddress

from .pool_node import boot, start_pool, write_release

LOOKS: Final = 10
"""Snapshots to request, one per second."""
SIZES: Final = ["10000", "100000"]


async def look(port: str, cookie: str) -> None:
    """Request a snapshot once a second, and print the longest response time, in milliseconds.

    This runs in the other OS process.
    """
    address = NodeAddress(name="pool@127.0.0.1", host="127.0.0.1", port=int(port), cookie=read_cookie(Path(cookie)))
    longest = 0.0
    async with Operator.connect(address, user="bench", client_name="bench") as operator:
        for _ in range(LOOKS):
            began = perf_counter()
            await operator.request(methods.SNAPSHOT)
            longest = max(longest, perf_counter() - began)
            await asyncio.sleep(max(0.0, began + 1.0 - perf_counter()))
    print(f"{longest * 1000:.0f}")


class Asker:
    """Calls a server every millisecond; `gap` is the longest wait, in seconds of processor time."""

    def __init__(self, server: Pid) -> None:
        self.gap = 0.0
        self._server = server
        self._add = importlib.import_module("pool.worker").Worker.add
        self.task = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        while True:
            before = process_time()
            await asyncio.sleep(0.001)
            await call_within(None, self._server, self._add)
            self.gap = max(self.gap, process_time() - before)

    async def meanwhile(self, until: Awaitable[object]) -> tuple[float, float]:
        """Wait for `until`; return the gap and the share of a core that the node used meanwhile."""
        self.gap = 0.0
        began, used = perf_counter(), process_time()
        await until
        return self.gap, (process_time() - used) / (perf_counter() - began)


async def looked_at(size: int) -> None:
    """Measure a node with `size` servers, first without and then with the client."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        write_release(root, "1")
        async with Runtime() as runtime:
            handler = boot(root, CodeServer())
            first, *_ = await start_pool(range(1, size + 1))
            control = Control(
                handler,
                runtime,
                current(),
                NodeIdentity("pool@127.0.0.1", "bench", root),
                on_stop=lambda restart: None,
            )
            port = control.start()
            gc.collect()
            gc.freeze()  # as a node does when it is up
            asker = Asker(first)
            gap, share = await asker.meanwhile(asyncio.sleep(LOOKS))
            command = (sys.executable, "-m", "benchmarks.looking", "look", str(port), cookie_path(root, "viewer"))
            process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
            looked_gap, looked_share = await asker.meanwhile(process.wait())
            assert process.stdout is not None
            longest = (await process.stdout.read()).decode().strip()
            asker.task.cancel()
            control.stop()
            code = current()
            if code is not None:
                code.uninstall()
            print(
                f"{size} servers: longest wait {gap * 1000:.1f} ms unobserved, "
                f"{looked_gap * 1000:.1f} ms observed; {share:.1%} of a core unobserved, "
                f"{looked_share:.1%} observed; longest response {longest} ms"
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["look"]:
        asyncio.run(look(*sys.argv[2:]))
    else:
        for one in sys.argv[1:] or SIZES:
            asyncio.run(looked_at(int(one)))

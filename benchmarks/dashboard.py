"""The cost of the dashboard: `python -m benchmarks.dashboard [SIZE…]`, by default with 10,000 and 100,000 servers.

A node in an OS process of its own has a pool of servers, of which some handle a message each second. The dashboard runs
in a terminal of 120x40 characters, with the pool open. The output shows the time from the start of `hotdash connect` to
the first picture with processes, the time and the dashboard's processor time for keys, the time until a new order and a
new filter are echoed and until their rows are there, the share of a core that the node uses without and with the
dashboard, and the share and the memory of the dashboard.
"""

from __future__ import annotations

import asyncio
import fcntl
import gc
import importlib
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from typing import Final, NamedTuple

import psutil

from node_runtime import Runtime, call
from node_runtime.cli.event_loops import run
from node_runtime.code import CodeServer, current
from node_runtime.control import Control, NodeIdentity
from node_runtime.protocol.cookie import cookie_path

from .pool_node import boot, start_pool, write_release

SIZES: Final = ["10000", "100000"]
ALL_ACTIVE: Final = 10_000
"""One caller in the node can't call more servers in a second."""
OBSERVED_SECONDS: Final = 10.0
ROW_KEYS: Final = b"\x1b[B", b"\x1b[A"
"""Down and up."""
PAGE_KEYS: Final = b"\x1b[6~", b"\x1b[5~"
PRESSES: Final = 20
QUIET_SECONDS: Final = 0.3
"""Keys are pressed when the screen has not changed for this long."""


async def serve(size: int, active: int) -> None:
    """Run a node with `size` servers, of which `active` handle a message each second, until it is killed."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        write_release(root, "1")
        async with Runtime() as runtime:
            handler = boot(root, CodeServer())
            pids = await start_pool(range(size))
            code = current()
            assert code is not None
            identity = NodeIdentity("pool@127.0.0.1", "bench", root)
            control = Control(handler, runtime, code, identity, on_stop=lambda restart: None)
            port = control.start()
            gc.collect()
            gc.freeze()  # as a node does when it is up
            print(port, cookie_path(root, "operator"), flush=True)
            add = importlib.import_module("pool.worker").Worker.add
            while True:
                await asyncio.sleep(1.0)
                for pid in pids[:active]:
                    await call(pid, add)


class Reaction(NamedTuple):
    """The seconds until a key changes the screen, and until its last change; the dashboard's processor time for it."""

    changed: float
    settled: float
    spent: float


class Dashboard:
    """`hotdash connect` in a terminal."""

    def __init__(self, port: str, cookie: str) -> None:
        self.began = time.perf_counter()
        pid, self._terminal = pty.fork()
        if pid == 0:
            os.environ["TERM"] = "xterm-256color"
            words = ["connect", f"pool@127.0.0.1:{port}", "--cookie-file", cookie]
            os.execv(sys.executable, [sys.executable, "-m", "hotdash", *words])
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.process = psutil.Process(pid)

    def until(self, text: bytes, seconds: float = 60.0) -> float:
        """Read until `text` is on the terminal; return the seconds since the last key or the start."""
        seen, deadline = b"", time.perf_counter() + seconds
        while text not in seen and time.perf_counter() < deadline:
            seen += self._read(1.0)
        return time.perf_counter() - self.began

    def press(self, key: bytes) -> Reaction:
        """Press a key, and wait until the screen is quiet again."""
        used = sum(self.process.cpu_times()[:2])
        self.began = time.perf_counter()
        os.write(self._terminal, key)
        self._read(10.0)
        changed = settled = time.perf_counter() - self.began
        while self._read(QUIET_SECONDS):
            settled = time.perf_counter() - self.began
        return Reaction(changed, settled, sum(self.process.cpu_times()[:2]) - used)

    def _read(self, seconds: float) -> bytes:
        ready, _, _ = select.select([self._terminal], [], [], seconds)
        return os.read(self._terminal, 1 << 16) if ready else b""

    def idle(self, node: psutil.Process) -> tuple[float, float]:
        """Return the shares of a core that the dashboard and the node use while no key is pressed."""
        began, before = time.perf_counter(), [sum(one.cpu_times()[:2]) for one in (self.process, node)]
        while time.perf_counter() < began + OBSERVED_SECONDS:
            self._read(0.1)
        seconds = time.perf_counter() - began
        after = [sum(one.cpu_times()[:2]) for one in (self.process, node)]
        return (after[0] - before[0]) / seconds, (after[1] - before[1]) / seconds

    def close(self) -> None:
        """End it."""
        self.process.kill()
        os.waitpid(self.process.pid, 0)
        os.close(self._terminal)


def print_reactions(name: str, reactions: list[Reaction]) -> None:
    """Print how long a key took."""
    waits = [one.changed for one in reactions]
    print(
        f"  {name}: {statistics.median(waits) * 1000:.0f} ms median, {max(waits) * 1000:.0f} ms worst, "
        f"{statistics.median(one.spent for one in reactions) * 1000:.0f} ms of processor time"
    )


def measure(size: int, active: int) -> None:
    """Measure one node, and print the result."""
    command = [sys.executable, "-m", "benchmarks.dashboard", "serve", str(size), str(active)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        port, cookie = served.stdout.readline().split()
        node = psutil.Process(served.pid)
        used, began = sum(node.cpu_times()[:2]), time.perf_counter()
        time.sleep(OBSERVED_SECONDS)
        alone = (sum(node.cpu_times()[:2]) - used) / (time.perf_counter() - began)
        dashboard = Dashboard(port, cookie)
        try:
            first = dashboard.until(b"worker")
            dashboard.press(b"G")
            dashboard.press(b" ")
            print(f"{size:,} servers, {active:,} active: first picture {first:.2f} s")
            if size > PRESSES:
                print_reactions("down", [dashboard.press(ROW_KEYS[0]) for _ in range(PRESSES)])
                print_reactions("page down", [dashboard.press(PAGE_KEYS[0]) for _ in range(PRESSES)])
            else:  # a key that can't move the cursor changes nothing
                print_reactions("up and down", [dashboard.press(ROW_KEYS[n % 2 - 1]) for n in range(PRESSES)])
            own, observed = dashboard.idle(node)
            memory = dashboard.process.memory_info().rss / 1e6
            print(f"  tree: node {alone:.1%} without, {observed:.1%} with; dashboard {own:.1%}, {memory:.0f} MB")
            dashboard.press(b"2")
            orders = [dashboard.press(b"oO"[n % 2 :][:1]) for n in range(10)]
            dashboard.press(b"/")
            filters = [dashboard.press(letter) for letter in (b"w", b"o", b"r", b"k", b"\x7f", b"\x7f")]
            dashboard.press(b"\x1b")
            for name, reactions in (("order", orders), ("filter", filters)):
                print(
                    f"  new {name}: echoed after {statistics.median(one.changed for one in reactions) * 1000:.0f} ms "
                    f"median, {max(one.changed for one in reactions) * 1000:.0f} ms worst; last change of the screen "
                    f"after {statistics.median(one.settled for one in reactions) * 1000:.0f} ms median, "
                    f"{max(one.settled for one in reactions) * 1000:.0f} ms worst"
                )
            dashboard.press(b"ooo")  # by rate
            own, observed = dashboard.idle(node)
            print(f"  list by rate: node {observed:.1%}; dashboard {own:.1%}")
        finally:
            dashboard.close()
            served.kill()


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        with asyncio.Runner() as runner:  # as a node does
            run(runner.get_loop(), serve(int(sys.argv[2]), int(sys.argv[3])))
    else:
        for one in sys.argv[1:] or SIZES:
            for busy in (0, 1000, ALL_ACTIVE):
                measure(int(one), min(busy, int(one)))

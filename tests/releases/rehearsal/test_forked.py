"""The copy of the node in which a rehearsal runs, and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.waiting import eventually

PARENT = """
import asyncio, os, sys
from node_runtime.releases.rehearsal.forked import ProgressMarker, RehearsalLimits, run_in_forked_copy

def work(tell):
    tell(str(os.getpid()).encode())
    sum(range(10**12))

def hear(message):
    print(message.decode(), flush=True)

limits = RehearsalLimits(total_seconds=600.0, call_seconds=600.0, body_seconds=600.0, memory_bytes=1 << 30)
asyncio.run(run_in_forked_copy(work, hear, ProgressMarker(), limits))
"""


def is_over(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_the_copy_ends_with_its_parent_in_any_case() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        copy = int(parent.stdout.readline())
        assert not is_over(copy)
        os.kill(parent.pid, signal.SIGKILL)
        asyncio.run(eventually(lambda: is_over(copy), what="the end of the copy"))

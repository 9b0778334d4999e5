"""The copy of the node in which a rehearsal runs, and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

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
asyncio.run(run_in_forked_copy(lambda: work, hear, ProgressMarker(), limits))
"""


STARTS = """
import asyncio, os, signal, time
from node_runtime.releases.rehearsal import forked

forked.START_SECONDS = 0.2
starts = []

def start():
    if len(starts) == 1:
        WORK

os.register_at_fork(before=lambda: starts.append(True), after_in_child=start)
limits = forked.RehearsalLimits(total_seconds=600.0, call_seconds=600.0, body_seconds=600.0, memory_bytes=1 << 30)
asyncio.run(forked.run_in_forked_copy(lambda: lambda tell: None, print, forked.ProgressMarker(), limits))
print(len(starts))
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


@pytest.mark.parametrize(
    ("work", "starts"),
    [
        pytest.param("while time.process_time() < 1.5: pass", 1, id="it needs a processor"),
        pytest.param("signal.pause()", 2, id="it waits"),
    ],
)
def test_a_copy_that_starts_late_gets_more_time_unless_it_waits_for_something(work: str, starts: int) -> None:
    program = STARTS.replace("WORK", work)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == f"{starts}\n"


BUSY = """
import asyncio, os
from node_runtime.releases.rehearsal.forked import ProgressMarker, RehearsalLimits, run_in_forked_copy

def work(tell):
    while os.getpriority(os.PRIO_PROCESS, 0) == 0:
        pass
    tell(b"gives way")

def spin():
    sum(range(10_000))
    asyncio.get_running_loop().call_soon(spin)

async def main():
    spin()
    limits = RehearsalLimits(total_seconds=100.0, call_seconds=100.0, body_seconds=100.0, memory_bytes=1 << 30)
    await run_in_forked_copy(lambda: work, lambda message: print(message.decode()), ProgressMarker(), limits)
    print(os.getpriority(os.PRIO_PROCESS, 0))

asyncio.run(main())
"""


def test_a_copy_gives_way_to_a_busy_node() -> None:
    done = subprocess.run([sys.executable, "-c", BUSY], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "gives way\n0\n"

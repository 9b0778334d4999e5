"""Lock files, whose holder may fork children and close other descriptors of the file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from node_runtime.protocol.lock_file import hold_lock

HOLDER = """
import os, signal, sys
from pathlib import Path
from node_runtime.protocol.lock_file import hold_lock
with hold_lock(Path(sys.argv[1])):
    {then}
    print("held", flush=True)
    sys.stdin.read()
"""
OLDER_HOLDER = """
import fcntl, os, sys
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process(program: str, *paths: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has begun to hold the lock; it ends when its stdin is closed."""
    line, pipe = (sys.executable, "-c", program, *map(str, paths)), subprocess.PIPE
    with subprocess.Popen(line, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "it.lock"


@pytest.mark.parametrize(
    "program",
    [
        HOLDER.format(then="pass"),
        HOLDER.format(then="open(sys.argv[1]).close()  # a lock of the kind fcntl is lost by this"),
        OLDER_HOLDER,
    ],
    ids=["holds it", "has closed another descriptor", "is of an older release"],
)
def test_a_lock_that_a_living_process_holds_is_refused(path: Path, program: str) -> None:
    with another_process(program, path), pytest.raises(BlockingIOError), hold_lock(path):
        pass
    with hold_lock(path):
        pass


def test_a_lock_is_held_once_in_a_process(path: Path) -> None:
    with hold_lock(path):
        with pytest.raises(BlockingIOError), hold_lock(path):
            pass
        with pytest.raises(BlockingIOError), hold_lock(path):
            pass
    with hold_lock(path):
        pass


@pytest.mark.parametrize("end", ["killed", "in order"])
def test_a_fork_of_a_holder_that_has_ended_does_not_hold_its_lock(path: Path, end: str) -> None:
    fork, forks = path.with_name("fork"), "pid = os.fork() or signal.pause(); Path(sys.argv[2]).write_text(str(pid))"
    with another_process(HOLDER.format(then=forks), path, fork) as holder:
        pid = int(fork.read_text())
        if end == "killed":
            holder.kill()
    calls: list[int] = []
    with hold_lock(path, lambda: calls.append(pid)):
        assert calls == [pid]
        os.kill(pid, 0)
        with pytest.raises(BlockingIOError), hold_lock(path):
            pass
    os.kill(pid, signal.SIGKILL)

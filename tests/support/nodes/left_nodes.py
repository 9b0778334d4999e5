"""Kills the nodes that a session of tests has left running, also if somebody has killed the session's process.

Nodes are processes in sessions of their own, so nothing else would end them. The process that kills them runs this
file, and waits until the other end of its standard input is closed, which the kernel does when the session's process
ends. Fixtures stop their own nodes before that.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

RUN_DIRECTORY = "NODE_RUNTIME_RUN_DIR"
DELETE = "--delete"
ROUNDS = 100
"""A parent boots its node again, and a process may end its start only now, so the killer looks several times."""
END_SECONDS = 10
"""A killed process has ended after this time, unless the kernel waits for a device."""


def start_killer(folder: Path, *, delete: bool = False) -> "subprocess.Popen[bytes]":
    """Start a process that kills the processes with a run directory below `folder`, when its stdin is closed.

    If `delete` is true, it deletes the folder afterwards.
    """
    line = [sys.executable, "-I", "-S", __file__, str(folder), *([DELETE] if delete else [])]
    nothing = subprocess.DEVNULL
    return subprocess.Popen(line, stdin=subprocess.PIPE, stdout=nothing, stderr=nothing, start_new_session=True)


def processes_below(folder: str) -> list[int]:
    """The processes with a run directory in `folder`; none where the system has no /proc."""
    wanted = f"\0{RUN_DIRECTORY}={folder}{os.sep}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
        except OSError:  # it has ended, or belongs to another user
            continue
        if wanted in b"\0" + environment:
            found.append(int(process.name))
    return found


def kill_all(folder: str) -> None:
    """Kill these processes until none is left."""
    for _ in range(ROUNDS):
        left = processes_below(folder)
        if not left:
            return
        for pid in left:
            with suppress(OSError):
                kill(pid)


def kill(pid: int) -> None:
    """Kill a process, and wait until it has ended."""
    process = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(process, signal.SIGKILL)
        select.select([process], [], [], END_SECONDS)
    finally:
        os.close(process)


if __name__ == "__main__":
    sys.stdin.buffer.read()
    kill_all(sys.argv[1])
    if DELETE in sys.argv:
        shutil.rmtree(sys.argv[1], ignore_errors=True)

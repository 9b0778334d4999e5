"""Ends the processes that a node has left behind: its forks, and the programs that it has started.

A fork has the node's sockets and its `flock` lock, so it would prevent the node's next boot; forks are found in any
process group. A program is found if it is in the node's process group. A program in another group was started there on
purpose, and continues. The node uses this module, too.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

# The signals that are sent to the processes, in this order, and the seconds to wait after each. 0 sends no signal: some
# processes watch the node and end by themselves.
STEPS = ((0, 0.5), (signal.SIGTERM, 1.0), (signal.SIGKILL, 5.0))
POLL_SECONDS = 0.02
PROC = Path("/proc")


def end_left_processes(lock: Path, group: int | None = None) -> str:
    """End the forks of the node whose lock is at `lock`, and the processes in its group, after the node has ended.

    Returns a sentence that names the processes, "" if there are none. Without /proc, ends the group only.
    """
    if not PROC.joinpath("self/stat").exists():
        if group is not None:
            with suppress(OSError):
                os.killpg(group, signal.SIGTERM)
        return ""
    left, named = find_left_processes(lock, group), dict[int, str]()
    for number, seconds in STEPS:
        for pid in left if number else ():
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while left and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            left = find_left_processes(lock, group)
        named = named or left
    return _sentence(named, left)


def find_left_processes(lock: Path, group: int | None) -> dict[int, str]:
    """Return the pid and the program's name of each process that `end_left_processes` has to end."""
    found = {}
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or belongs to another user
            name, _, rest = (folder / "stat").read_text(errors="replace").partition("(")[2].rpartition(")")
            state, _, its_group, *_ = rest.split()
            if state not in {"Z", "X"} and (int(its_group) == group or _has_inherited(folder, lock)):
                found[int(folder.name)] = name
    return found


def _has_inherited(folder: Path, lock: Path) -> bool:
    """Return whether the process has inherited the lock. Its holder has a lock of the kind fcntl (POSIX), too."""
    infos = ""
    wanted = lock.stat()
    for descriptor in (folder / "fd").iterdir():
        with suppress(FileNotFoundError):
            if os.path.samestat(descriptor.stat(), wanted):
                infos += (folder / "fdinfo" / descriptor.name).read_text()
    return "FLOCK" in infos and "POSIX" not in infos


def _sentence(named: dict[int, str], left: dict[int, str]) -> str:
    if not named:
        return ""
    names = ", ".join(f"{pid} ({name})" for pid, name in sorted(named.items()))
    count = "1 process" if len(named) == 1 else f"{len(named)} processes"
    if left:
        return f"The node left behind {count}: {names}. Still running: {', '.join(map(str, sorted(left)))}; kill them."
    return f"Ended {count} that the node left behind: {names}."

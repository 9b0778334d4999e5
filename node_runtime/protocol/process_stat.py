"""Reads from /proc/<pid>/stat when an OS process began, whether it runs, and how long it has run.

The time at which the process began shows whether the system has reused its process id for another process.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_ENDED: Final = {b"Z", b"X"}
_RUNNING: Final = {b"R", b"D"}
"""The states of a process that runs or waits for a processor (R), or waits for a disk (D)."""


def start_ticks(pid: int) -> int | None:
    """Return when a process began, in clock ticks since the machine's boot; None if the system doesn't report it."""
    fields = _fields(pid)
    return int(fields[19]) if fields else None


def is_alive(pid: int, began: int) -> bool:
    """Return whether the process `pid` that began at `began` (a value of `start_ticks`) is still alive."""
    fields = _fields(pid)
    return bool(fields) and int(fields[19]) == began and fields[0] not in _ENDED


def is_runnable(pid: int) -> bool:
    """Return whether a process runs, or would run if the processors and disks were free.

    Return False for a process that waits for a lock or for data, or if the system doesn't report the state of the
    process.
    """
    fields = _fields(pid)
    return bool(fields) and fields[0] in _RUNNING


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used; 0.0 if the system doesn't report it."""
    fields = _fields(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def _fields(pid: int) -> list[bytes]:
    """Return the fields of /proc/<pid>/stat that begin with the process's state; empty if there is no such file."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return []
    return text.rpartition(b")")[2].split()  # the name of the program, in parentheses, may contain spaces

"""Tells when an OS process began. By this time, a process id that the system has used again can be recognized."""

from __future__ import annotations

from pathlib import Path


def start_ticks(pid: int) -> int | None:
    """Return when a process began, in clock ticks since the machine's boot; None if the system doesn't report it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    return int(fields.rpartition(b")")[2].split()[19])  # the name of the program, in parentheses, may contain spaces

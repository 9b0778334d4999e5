"""Command lines of OS processes that may end at any moment."""

from __future__ import annotations

import psutil


def command_line(process: psutil.Process) -> list[str]:
    """The words of its command line; empty if it has ended, also while it is a zombie."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # of which ZombieProcess is a kind
        return []

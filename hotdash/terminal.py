"""The terminal that a command runs on: whether one is there, and when it goes away."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading


def usable() -> bool:
    """Whether stdin and stdout are a terminal that can be drawn on."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def exit_with_terminal() -> None:
    """Have this process get SIGHUP when its terminal goes away.

    The kernel tells only the terminal's first process, and a shell hands it on; but make, for one, waits for its
    children instead. What then still reads from the terminal finds nothing there, again and again.
    """
    threading.Thread(target=_watch, args=(sys.stdin.fileno(),), name="terminal", daemon=True).start()


def _watch(terminal: int) -> None:
    poll = select.poll()
    poll.register(terminal, 0)  # nothing but its end
    poll.poll()
    os.kill(os.getpid(), signal.SIGHUP)

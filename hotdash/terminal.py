"""The terminal of a command: checks whether it is usable, and ends the command when the terminal closes."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading

WEB_DRIVER = "textual.drivers.web_driver:WebDriver"
"""The value of TEXTUAL_DRIVER in a process that textual-serve starts."""


def usable() -> bool:
    """Return whether stdin and stdout are a terminal on which the dashboard can draw."""
    terminals = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
    return terminals and os.environ.get("TERM", "") not in ("", "dumb")


def served() -> bool:
    """Return whether this process draws for a browser: `hotdash serve` has started it."""
    return os.environ.get("TEXTUAL_DRIVER") == WEB_DRIVER


def exit_with_terminal() -> None:
    """Send this process SIGHUP when its terminal closes.

    The kernel sends SIGHUP only to the session leader. A shell forwards SIGHUP to its children, but make, for example,
    waits for them instead. A child that reads from a closed terminal would get end-of-file in an endless loop.
    """
    threading.Thread(target=_watch, args=(sys.stdin.fileno(),), name="terminal", daemon=True).start()


def _watch(terminal: int) -> None:
    poll = select.poll()
    poll.register(terminal, 0)  # only the hang-up is of interest
    poll.poll()
    os.kill(os.getpid(), signal.SIGHUP)

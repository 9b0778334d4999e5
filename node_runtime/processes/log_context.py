"""Who logs: each record that a process logs says which process it was, and of which release.

The words stand in the record itself, as `pid`, `registered` and `release`, so that every handler has them, whoever
set it up: a file's, a collector's, a test's. Follows the metadata of OTP's logger.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from . import current_runtime
from .process import Process, here


def say_who_logs(release: Callable[[], str]) -> Callable[[], None]:
    """From now on give every log record of the OS process the attributes below; returns what ends that.

    `pid` is the number of the process that logs, `registered` its name; both are None outside of processes.
    `release` is what `release()` says at that moment. It is called in any thread and must be quick.
    """
    before = logging.getLogRecordFactory()

    def record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        made = before(*args, **kwargs)
        process = _who()
        made.pid = None if process is None else int(process.pid)
        made.registered = None if process is None else process.name
        made.release = release()
        return made

    logging.setLogRecordFactory(record)

    def undo() -> None:
        if logging.getLogRecordFactory() is record:
            logging.setLogRecordFactory(before)

    return undo


def _who() -> Process | None:
    # In another thread `current` would be whoever runs on the loop just then. A thread that a callback has started with
    # asyncio.to_thread has the callback's context.
    node = current_runtime.node
    if node is not None and node.thread == threading.get_ident() and node.current is not None:
        return node.current
    return here.get()


@contextmanager
def on_behalf_of(process: Process) -> Iterator[None]:
    """What the runtime logs inside is the process's, whoever's turn it is."""
    node = process.runtime
    before, node.current = node.current, process
    try:
        yield
    finally:
        node.current = before

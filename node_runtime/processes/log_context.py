"""Adds the logging process and its release to every log record.

The attributes `node_pid`, `node_registered`, `node_release` and `node_worker` are set on the record itself, so every
handler gets them. Their prefix leaves names such as `pid` to applications: `logging` refuses an `extra` with a key that
the record already has. Follows the metadata of OTP's logger.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from . import current_runtime
from .process import Process, task_process


def add_process_to_log_records(
    release: Callable[[], str], worker: Callable[[], int | None] = lambda: None
) -> Callable[[], None]:
    """Add attributes to every log record of this OS process; return a function that undoes this.

    `node_pid` is the number of the process that logs, and `node_registered` is its name; both are None outside of
    processes. `node_release` is the result of `release()`. `node_worker` is the number of this worker, the result of
    `worker()`. If `worker()` returns None, because the node has only one worker, the record lacks this attribute. Both
    functions are called for each record, in the thread that logs, and must be quick.
    """
    before = logging.getLogRecordFactory()

    def make_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = before(*args, **kwargs)
        process = _logging_process()
        record.node_pid = None if process is None else int(process.pid)
        record.node_registered = None if process is None else process.name
        record.node_release = release()
        if (number := worker()) is not None:
            record.node_worker = number
        return record

    logging.setLogRecordFactory(make_record)

    def undo() -> None:
        if logging.getLogRecordFactory() is make_record:
            logging.setLogRecordFactory(before)

    return undo


def _logging_process() -> Process | None:
    # In another thread, `current` would be the process that runs on the event loop at that moment. A thread that a
    # callback has started with asyncio.to_thread has the callback's context, which includes `task_process`.
    node = current_runtime.node
    if node is not None and node.thread == threading.get_ident() and node.current is not None:
        return node.current
    return task_process.get()


@contextmanager
def logging_as(process: Process) -> Iterator[None]:
    """Attribute the runtime's log records inside the block to `process`, even if another process is running."""
    node = process.runtime
    before, node.current = node.current, process
    try:
        yield
    finally:
        node.current = before

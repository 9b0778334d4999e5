"""The format of the node's log lines: text for people, or JSON for log collectors.

Both formats redact secrets and escape unprintable characters. In the text format, all lines of a record except the
first are indented. So no line of a message looks like another record.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import sys
import threading
import types
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Literal

from node_runtime.processes.log_context import add_process_to_log_records
from node_runtime.processes.redaction.text_redaction import redact, shown
from node_runtime.protocol.escape import escape, escape_json

from .own_loggers import keep_own_loggers_enabled

INDENT: Final = "    "
"""The beginning of each line of a record except the first."""

logger: Final = logging.getLogger("node_runtime")


class TextFormatter(logging.Formatter):
    """Lines of text; outside of processes, name and pid are replaced by `-`.

    The release is replaced by `-`, too, if the application has set a factory of its own for log records. If the node
    has several workers, the worker's number follows the release: `1986.a worker 2`.

    `2026-01-31 12:00:00,123 INFO 1986.a fil_color_fsm <12> fil.colors: it is lime`
    """

    def __init__(self) -> None:
        line = "%(asctime)s %(levelname)s %(node_release)s %(worker_label)s%(process_label)s %(name)s: "
        super().__init__(line, defaults={"node_release": "-"})

    def format(self, record: logging.LogRecord) -> str:
        """Format one record. A traceback follows on separate lines."""
        worker: int | None = getattr(record, "node_worker", None)
        record.worker_label = "" if worker is None else f"worker {worker} "
        record.process_label = _process_label(record)
        record.message, record.asctime = "", self.formatTime(record)
        parts = [_message(record)]
        if record.exc_info:
            parts.append(redact(self.formatException(record.exc_info)))
        if record.stack_info:
            parts.append(redact(self.formatStack(record.stack_info)))
        return escape(self.formatMessage(record)) + _indented("\n".join(parts))


def _message(record: logging.LogRecord) -> str:
    """Return the redacted message, or the format string if its arguments don't fit."""
    try:
        return redact(record.getMessage())
    except Exception as error:
        return f"{redact(str(record.msg))} (its arguments can't be formatted: {type(error).__name__})"


def _indented(text: str) -> str:
    if text.isprintable():
        return text
    return f"\n{INDENT}".join(escape(line) for line in text.split("\n"))


def _process_label(record: logging.LogRecord) -> str:
    pid: int | None = getattr(record, "node_pid", None)
    name: str | None = getattr(record, "node_registered", None)
    if pid is None:
        return "-"
    return f"{shown(name)} <{pid}>" if name else f"<{pid}>"


class JsonFormatter(logging.Formatter):
    """Lines with one JSON object: time, level, logger, release, pid, name, message; report and traceback if present.

    If the node has several workers, `worker` is the number of the worker that has logged.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Format one record as one line."""
        name: str | None = getattr(record, "node_registered", None)
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "release": getattr(record, "node_release", None),
            "pid": getattr(record, "node_pid", None),
            "name": name and redact(name),
            "message": _message(record),
        }
        if (worker := getattr(record, "node_worker", None)) is not None:
            entry["worker"] = worker
        report = getattr(record, "report", None)
        if dataclasses.is_dataclass(report) and not isinstance(report, type):
            entry["report"] = {"type": type(report).__name__, **_fields(report)}
        if record.exc_info:
            entry["traceback"] = redact(self.formatException(record.exc_info))
        if record.stack_info:
            entry["stack"] = redact(self.formatStack(record.stack_info))
        return escape_json(json.dumps(entry, default=str, ensure_ascii=False))


def _fields(report: Any) -> dict[str, Any]:
    fields = dataclasses.asdict(report)
    return {name: redact(value) if isinstance(value, str) else value for name, value in fields.items()}


FORMATTERS: Final[dict[str, Callable[[], logging.Formatter]]] = {"text": TextFormatter, "json": JsonFormatter}


def log_to_stderr(
    lines: Literal["text", "json"], release: Callable[[], str], worker: Callable[[], int | None] = lambda: None
) -> None:
    """Write every log record of level INFO or higher to stderr, with the process that logged it.

    The records of libraries such as uvicorn go to stderr too, because nothing else in the node sets up handlers.
    Warnings and uncaught exceptions are logged, too, because Python itself would print them unredacted. A configuration
    of logging in a release can't disable the runtime's own loggers.
    """
    add_process_to_log_records(release, worker)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FORMATTERS[lines]())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.captureWarnings(True)
    keep_own_loggers_enabled()
    sys.excepthook = _log_uncaught
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_of_thread


def _log_uncaught(kind: type[BaseException], error: BaseException, frames: types.TracebackType | None) -> None:
    logger.critical("an exception was not caught", exc_info=(kind, error, frames))


def _log_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    error = unraisable.exc_value
    about = f"{unraisable.err_msg or 'an exception could not be raised'} ({type(unraisable.object).__name__})"
    logger.error("%s", about, exc_info=None if error is None else (type(error), error, unraisable.exc_traceback))


def _log_of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or args.exc_type is SystemExit:
        return
    name = "a thread" if args.thread is None else f"thread {args.thread.name}"
    logger.error("%s ended with an exception", name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback))

"""The format of the node's log lines: text for people, or JSON for log collectors."""

from __future__ import annotations

import dataclasses
import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Literal

from node_runtime.processes.log_context import add_process_to_log_records


class TextFormatter(logging.Formatter):
    """Lines of text. If no process logged a record, `-` replaces the name and the pid.

    `2026-01-31 12:00:00,123 INFO 1986.a fil_color_fsm <12> fil.colors: it is lime`
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(release)s %(process_label)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Format one record. A traceback follows on separate lines."""
        record.process_label = _process_label(record)
        return super().format(record)


def _process_label(record: logging.LogRecord) -> str:
    pid: int | None = getattr(record, "pid", None)
    name: str | None = getattr(record, "registered", None)
    if pid is None:
        return "-"
    return f"{name} <{pid}>" if name else f"<{pid}>"


class JsonFormatter(logging.Formatter):
    """Lines with one JSON object each.

    The keys are time, level, logger, release, pid, name and message, and, if present, report and
    traceback.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Format one record as one line."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "release": getattr(record, "release", None),
            "pid": getattr(record, "pid", None),
            "name": getattr(record, "registered", None),
            "message": record.getMessage(),
        }
        report = getattr(record, "report", None)
        if dataclasses.is_dataclass(report) and not isinstance(report, type):
            entry["report"] = {"type": type(report).__name__, **dataclasses.asdict(report)}
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


FORMATTERS: Final[dict[str, Callable[[], logging.Formatter]]] = {"text": TextFormatter, "json": JsonFormatter}


def log_to_stderr(lines: Literal["text", "json"], release: Callable[[], str]) -> None:
    """Write every log record of level INFO or higher to stderr, with the process that logged it.

    The records of libraries such as uvicorn go to stderr too, because nothing else in the node sets up handlers.
    """
    add_process_to_log_records(release)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FORMATTERS[lines]())
    logging.basicConfig(level=logging.INFO, handlers=[handler])

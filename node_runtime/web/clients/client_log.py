"""The logger of a client's connection: what a client can cause is counted, since it can cause it without end."""

from __future__ import annotations

import logging
from typing import Any, Final

from .client_limits import LimitLog

UVICORN: Final = logging.getLogger("uvicorn.error")


class ClientLogger:
    """Has what uvicorn's protocols use of a logger. Warnings go to the listener's limit log."""

    __slots__ = ("_limit_log",)

    def __init__(self, limit_log: LimitLog) -> None:
        self._limit_log = limit_log

    @property
    def level(self) -> int:
        """The level of uvicorn's logger."""
        return UVICORN.level

    def log(self, level: int, message: str, *arguments: Any) -> None:
        """Log a message as uvicorn does."""
        UVICORN.log(level, message, *arguments)

    def info(self, message: str, *arguments: Any) -> None:
        """Log a message as uvicorn does."""
        UVICORN.info(message, *arguments)

    def error(self, message: str, *arguments: Any, exc_info: Any = None) -> None:
        """Log an error of the application as uvicorn does."""
        UVICORN.error(message, *arguments, exc_info=exc_info)

    def warning(self, message: str) -> None:
        """Count what a client did wrong."""
        self._limit_log.note(message.rstrip("."))

    def exception(self, message: str, *arguments: Any) -> None:
        """Log an error of the application with its traceback; count a text that is no UTF-8, which is the client's."""
        if message.startswith("Invalid UTF-8"):
            self._limit_log.note(message.rstrip("."))
        else:
            UVICORN.exception(message, *arguments)

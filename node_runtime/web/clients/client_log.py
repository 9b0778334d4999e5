"""The logger of a client's connection. Messages that a client causes are only counted: they could fill the log."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any, Final

from .client_limits import LimitLog

CANCELLED: Final = "cancelled requests before they had ended, because of a purge, a kill or the listener's stop"
UVICORN: Final = logging.getLogger("uvicorn.error")


class ClientLogger:
    """Has the methods of a logger that uvicorn's protocols call. Warnings are counted in the listener's limit log."""

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
        """Log an error of the application as uvicorn does. A request that was cancelled is only counted."""
        if isinstance(exc_info, asyncio.CancelledError):
            self._limit_log.note(CANCELLED)
            return
        UVICORN.error(message, *arguments, exc_info=exc_info)

    def warning(self, message: str) -> None:
        """Count what a client did wrong."""
        self._limit_log.note(message.rstrip("."))

    def exception(self, message: str, *arguments: Any) -> None:
        """Log an error of the application with its traceback. A websocket that was cancelled is only counted.

        A text that isn't UTF-8 is only counted, too, because the client has sent it.
        """
        if isinstance(sys.exc_info()[1], asyncio.CancelledError):
            self._limit_log.note(CANCELLED)
        elif message.startswith("Invalid UTF-8"):
            self._limit_log.note(message.rstrip("."))
        else:
            UVICORN.exception(message, *arguments)

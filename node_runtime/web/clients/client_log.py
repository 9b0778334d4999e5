"""The logger of a client's connection. Messages that a client causes are only counted: they could fill the log."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any, Final

from starlette.requests import ClientDisconnect
from starlette.websockets import WebSocketDisconnect

from .client_limits import LimitLog

CANCELLED: Final = "cancelled requests before they had ended, because of a purge, a kill or the listener's stop"
DISCONNECTED: Final = "had clients that disconnected while the application read their body or their websocket"
GONE: Final = (ClientDisconnect, WebSocketDisconnect)
"""The errors with which Starlette tells an application that the client has disconnected."""
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
        """Log an error of the application as uvicorn does.

        A request that was cancelled, or whose client has disconnected, is only counted.
        """
        if not self._is_counted(exc_info):
            UVICORN.error(message, *arguments, exc_info=exc_info)

    def warning(self, message: str) -> None:
        """Count what a client did wrong."""
        self._limit_log.note(message.rstrip("."))

    def exception(self, message: str, *arguments: Any) -> None:
        """Log an error of the application with its traceback.

        A websocket that was cancelled, or whose client has disconnected, is only counted. So is a text that isn't
        UTF-8, because the client has sent it.
        """
        if message.startswith("Invalid UTF-8"):
            self._limit_log.note(message.rstrip("."))
        elif not self._is_counted(sys.exc_info()[1]):
            UVICORN.exception(message, *arguments)

    def _is_counted(self, error: Any) -> bool:
        """If the client or a cancellation has caused `error`, count the error and return True."""
        if isinstance(error, asyncio.CancelledError):
            self._limit_log.note(CANCELLED)
        elif isinstance(error, GONE):
            self._limit_log.note(DISCONNECTED)
        else:
            return False
        return True

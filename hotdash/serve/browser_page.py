"""One open page: a websocket, and the process of the dashboard that the page shows."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

END_SECONDS: Final = 5.0
"""Seconds that a dashboard has to end by itself when its page is closed; then it is killed."""
MAX_MESSAGE_BYTES: Final = 1 << 20
"""The maximum size of a message from a page, such as a text that the user pastes."""
MAX_COLUMNS: Final = 1000
MAX_LINES: Final = 500


class BrowserPage:
    """Connects `websocket` with `service`, which is textual-serve's `AppService` for this page."""

    def __init__(self, websocket: Any, service: Any) -> None:
        self._websocket = websocket
        self._service = service

    async def run(self, width: str, height: str) -> None:
        """Start the dashboard, pass messages on until the page is closed, and end the dashboard."""
        await self._service.start(_bounded(width, 80, MAX_COLUMNS), _bounded(height, 24, MAX_LINES))
        try:
            async for message in self._websocket:
                if isinstance(message.data, str) and not await self._take(message.data):
                    break
        finally:
            await self._end()

    async def _take(self, text: str) -> bool:
        """Pass a message of the page on; return False for a message that hotdash's page never sends."""
        try:
            kind, *rest = json.loads(text)
            data: Any = rest[0] if rest else None
            if kind == "stdin":
                await self._service.send_bytes(data.encode())
            elif kind == "resize":
                columns = _bounded(data["width"], 80, MAX_COLUMNS)
                await self._service.set_terminal_size(columns, _bounded(data["height"], 24, MAX_LINES))
            elif kind == "ping":
                await self._websocket.send_json(["pong", data])
            elif kind in ("blur", "focus"):
                await (self._service.blur() if kind == "blur" else self._service.focus())
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
            return False
        return True

    async def _end(self) -> None:
        """End the process, and wait until it has ended: textual-serve itself only asks it to quit."""
        process = self._service._process
        try:
            async with asyncio.timeout(END_SECONDS):
                await self._service.stop()
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        finally:
            process._transport.close()  # else its pipes stay open, and a process that still runs


def _bounded(text: object, default: int, limit: int) -> int:
    number = int(text) if isinstance(text, int | str) and str(text).isdecimal() else default
    return max(1, min(number, limit))

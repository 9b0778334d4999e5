"""A headless Chromium, driven over its remote-debugging port.

Each browser has its own profile directory, listens on a port that it chooses and writes into the profile, and ends
with its `async with` block.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import websockets

from tests.support.waiting import answered

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--headless=new",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    "--mute-audio",
    "--no-default-browser-check",
    "--no-first-run",
    "--remote-debugging-port=0",
)


class BrowserError(Exception):
    """The browser did not start, refused a command, or threw in the page."""


def program() -> str | None:
    """Returns the path of a Chromium on this machine, or None."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


@contextlib.asynccontextmanager
async def chromium(directory: Path) -> AsyncIterator[Page]:
    """Start a browser with all its files in `directory`, and yield its one open page."""
    executable = program()
    if executable is None:
        raise BrowserError(f"none of {', '.join(PROGRAMS)} is installed")
    profile = directory / "profile"
    profile.mkdir(parents=True)
    # Chromium's sandbox refuses to run as root.
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    with (directory / "chromium.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            executable, *QUIET, *sandbox, f"--user-data-dir={profile}", "about:blank",
            stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            env={**os.environ, "HOME": str(directory), "XDG_RUNTIME_DIR": str(directory)},
        )  # fmt: skip
    try:
        url = await _debugging_url(process, profile)
        async with websockets.connect(url, max_size=None) as socket, _Connection(socket) as connection:
            yield await _first_page(connection)
            await connection.command("Browser.close")
            await asyncio.wait_for(process.wait(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _debugging_url(process: asyncio.subprocess.Process, profile: Path) -> str:
    """The browser's address: it writes port and path into its profile once it listens."""
    written = profile / "DevToolsActivePort"

    async def address() -> str | None:
        if process.returncode is not None:
            raise BrowserError(f"chromium ended with {process.returncode}; see {profile.parent}")
        lines = written.read_text().split() if written.exists() else []
        return f"ws://127.0.0.1:{lines[0]}{lines[1]}" if len(lines) == 2 else None

    return await answered(address, f"the address of chromium (see {profile.parent})")


async def _first_page(connection: _Connection) -> Page:
    targets = await connection.command("Target.getTargets")
    target = next(info["targetId"] for info in targets["targetInfos"] if info["type"] == "page")
    session = await connection.command("Target.attachToTarget", targetId=target, flatten=True)
    page = Page(connection, session["sessionId"])
    await page.command("Page.enable")
    return page


class _Connection:
    """Commands and their answers over one socket, matched by number; the events in between are counted by name."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._events: dict[str, asyncio.Event] = {}

    async def __aenter__(self) -> _Connection:
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError, websockets.ConnectionClosed):
            await self._reader

    def event(self, name: str) -> asyncio.Event:
        """An event that is set when the browser next sends `name`."""
        return self._events.setdefault(name, asyncio.Event())

    async def command(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[self._number] = answer
        await self._socket.send(json.dumps(message))
        async with asyncio.timeout(60):
            return await answer

    async def _read(self) -> None:
        try:
            async for text in self._socket:
                self._take(json.loads(text))
        finally:
            for answer in self._waiting.values():
                answer.cancel()

    def _take(self, message: dict[str, Any]) -> None:
        if "id" not in message:
            if event := self._events.pop(message["method"], None):
                event.set()
            return
        answer = self._waiting.pop(message["id"])
        if answer.done():
            return
        if "error" in message:
            answer.set_exception(BrowserError(message["error"]["message"]))
        else:
            answer.set_result(message["result"])


class Page:
    """One tab."""

    def __init__(self, connection: _Connection, session: str) -> None:
        self._connection = connection
        self._session = session

    async def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the DevTools protocol, sent to this tab."""
        return await self._connection.command(method, self._session, **parameters)

    async def open(self, url: str) -> None:
        """Go to `url` and return when the page has loaded."""
        await self._load("Page.navigate", url=url)

    async def reload(self) -> None:
        """Load the page again, past the browser's cache."""
        await self._load("Page.reload", ignoreCache=True)

    async def _load(self, method: str, **parameters: Any) -> None:
        loaded = self._connection.event("Page.loadEventFired")
        result = await self.command(method, **parameters)
        if "errorText" in result:
            raise BrowserError(f"{parameters}: {result['errorText']}")
        async with asyncio.timeout(60):
            await loaded.wait()

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page; it has to be JSON."""
        result = await self.command("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise BrowserError(f"{expression}: {result['exceptionDetails']['exception'].get('description')}")
        return result["result"].get("value")

    async def until(self, expression: str, *, within: float = 60.0) -> Any:
        """The first true value of `expression`; the test fails if it has none `within` so many seconds."""

        async def value() -> Any:
            return await self.evaluate(expression) or None

        return await answered(value, expression, within=within)

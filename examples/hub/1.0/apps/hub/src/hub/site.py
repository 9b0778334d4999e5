"""The site: its page, and what it tells programs. The websockets are in `hub.member`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException
from fastapi.responses import HTMLResponse

from hub import directory
from hub.directory import Directory
from hub.models import Message
from hub.room import Room
from node_runtime import NoProcess, call
from node_runtime.application import priv_dir


async def tick(app: FastAPI) -> None:
    """Count the seconds that the hub has been open."""
    while True:
        await asyncio.sleep(1.0)
        app.state.seconds += 1


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Run the ticker. An upgrade hands over `app.state`, so the count goes on."""
    app.state.seconds = getattr(app.state, "seconds", 0)
    ticker = asyncio.create_task(tick(app), name="ticker")
    yield
    ticker.cancel()


app = FastAPI(lifespan=lifespan)


@app.get("/", response_class=HTMLResponse)
async def page() -> str:
    return (priv_dir("hub") / "page.html").read_text()


@app.get("/status")
async def status() -> dict[str, object]:
    return {"vsn": "1.0", "seconds": app.state.seconds, "rooms": await call(directory.NAME, Directory.rooms)}


@app.get("/rooms/{room}/messages")
async def messages(room: str) -> list[Message]:
    try:
        return await call(f"room {room}", Room.messages)
    except NoProcess:
        raise HTTPException(404, f"there is no room {room}") from None

from fastapi import FastAPI

from k import ticker
from k.manager import manager
from k.models import Message

app = FastAPI()


@app.get("/history")
async def history() -> list[Message]:
    return manager.history


@app.get("/status")
async def status():
    return {"step": ticker.STEP, "ticks": ticker.TICKS["count"]}

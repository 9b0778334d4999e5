import asyncio
import contextlib

__carry__ = ["TICKS"]
TICKS = {"count": 0}
STEP = 1


async def tick():
    while True:
        TICKS["count"] += STEP
        await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def lifespan(app):
    task = asyncio.create_task(tick(), name="ticker")
    yield
    task.cancel()

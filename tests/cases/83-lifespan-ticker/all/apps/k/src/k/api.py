import asyncio
import contextlib

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

LATEST = {"by": None}


async def tick():
    while True:
        LATEST["by"] = "@VSN@"
        await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def lifespan(app):
    task = asyncio.create_task(tick())
    yield
    task.cancel()


async def hello(request):
    return PlainTextResponse(f"@VSN@ {LATEST['by']}")


app = Starlette(routes=[Route("/", hello)], lifespan=lifespan)

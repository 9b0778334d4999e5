import asyncio

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route


async def events():
    while True:
        yield b"data: @VSN@\n"
        await asyncio.sleep(0.1)


async def stream(request):
    return StreamingResponse(events(), media_type="text/event-stream")


async def short(request):
    return PlainTextResponse("@VSN@")


app = Starlette(routes=[Route("/events", stream), Route("/short", short)])

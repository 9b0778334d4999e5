import asyncio
import os

from node_runtime.web import PlainTextResponse


async def probe(request):
    if "@VSN@" == "a":
        with open("@DATA@/begun", "a") as file:
            file.write("begun ")
        while not os.path.exists("@DATA@/enough"):
            await asyncio.sleep(0.05)
    return PlainTextResponse(repr("@VSN@"))

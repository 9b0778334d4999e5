import asyncio

from k import box
from node_runtime import cast


def step():
    cast("box", box.Box.walked, "@VSN@")


async def run():
    while True:
        step()
        await asyncio.sleep(0.1)

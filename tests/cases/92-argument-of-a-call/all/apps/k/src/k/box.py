import asyncio
import os

from k import order
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {}

    def probe(self):
        return None

    async def work(self):
        while not os.path.exists("@DATA@/enough"):
            await asyncio.sleep(0.05)

    def take(self, one):
        return order.label(one)

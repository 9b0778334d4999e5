import asyncio
from concurrent.futures import ThreadPoolExecutor

from k import counts
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {"pool": ThreadPoolExecutor(1)}

    async def probe(self):
        return await asyncio.get_running_loop().run_in_executor(self.state["pool"], lambda: counts.count())

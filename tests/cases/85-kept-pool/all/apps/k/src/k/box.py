import asyncio
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

from k import work
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {"pool": ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))}

    async def probe(self):
        loop = asyncio.get_running_loop()
        vsn, pid = await asyncio.wait_for(loop.run_in_executor(self.state["pool"], work.crunch), 20)
        return "@VSN@", vsn, pid != os.getpid()

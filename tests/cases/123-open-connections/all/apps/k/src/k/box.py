import asyncio

from k import wire
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    async def init(self):
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: wire.Wire(), "127.0.0.1", @PORT2@)
        return {"server": server}

    def probe(self):
        return self.state["server"].is_serving()

from k import memo
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {}

    def probe(self):
        return memo.price(10)
